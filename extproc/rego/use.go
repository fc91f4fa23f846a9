package rego

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A guardUse asks for a guard that the configuration has.
type guardUse struct {
	name   string
	output bool // for the response, not the request
}

// guardNames are the names of guards in the configuration, by what they look at.
type guardNames struct{ input, output []string }

func (o *Options) guardNames() guardNames { return guardNames{o.Guards, o.OutputGuards} }

func readGuard(h *head) effect {
	if h.count("name") == 0 {
		h.fail("want name")
	}
	on, _ := h.oneOf("on", []string{"input", "output"})
	name, ok := h.text("name")
	in, out := slices.Contains(h.guards.input, name), slices.Contains(h.guards.output, name)
	switch constant := h.count("on") == 0 || on != ""; {
	case !ok:
	case !in && !out:
		h.fail("name: there is no guard %v in the configuration", ast.String(name))
	case on == "output" && !out:
		h.fail("on: the guard %v has no output in its configuration's on", ast.String(name))
	case on != "output" && constant && !in:
		h.fail("on: the guard %v has no input in its configuration's on", ast.String(name))
	}
	return guardUse{name, on == "output"}
}

func (g guardUse) add(f *fold, _ *rule) {
	if g.output {
		f.outputGuards = append(f.outputGuards, g.name)
	} else {
		f.guards = append(f.guards, g.name)
	}
}

// A cacheUse says how the cache of responses is used. The most restrictive of
// all rules counts, field by field.
type cacheUse gateway.CacheUse

func readCache(h *head) effect {
	if h.object.Len() == 0 {
		h.fail("want at least one field")
	}
	c := cacheUse{}
	c.Mode, _ = h.oneOf("mode", gateway.CacheModes)
	c.TTLS, _ = h.integer("ttl_s", 1, maxInteger)
	c.Scope, _ = h.oneOf("scope", gateway.CacheScopes)
	return c
}

func (c cacheUse) add(f *fold, _ *rule) {
	sum := gateway.CacheUse(c)
	if f.cache != nil {
		sum.Mode = earlier(gateway.CacheModes, f.cache.Mode, c.Mode)
		sum.Scope = earlier(gateway.CacheScopes, f.cache.Scope, c.Scope)
		sum.TTLS = least(f.cache.TTLS, c.TTLS)
	}
	f.cache = &sum
}

// earlier is the one of two names that stands first in a list. An empty one
// says nothing.
func earlier(list []string, a, b string) string {
	if a == "" || b != "" && slices.Index(list, b) < slices.Index(list, a) {
		return b
	}
	return a
}

// A logUse says what is logged: the least that any rule says, without what any
// of them takes out.
type logUse gateway.LogUse

var logLevels = []string{gateway.LogNone, gateway.LogMeta, gateway.LogFull}

func readLog(h *head) effect {
	if h.object.Len() == 0 {
		h.fail("want at least one field")
	}
	l := logUse{}
	l.Level, _ = h.oneOf("level", logLevels)
	switch v := h.value("redact").(type) {
	case nil:
	case ast.String:
		l.Redact = []string{string(v)}
	default:
		l.Redact = h.strings("redact", v, maxTags)
	}
	for _, p := range l.Redact {
		if !inDocument(p) {
			h.fail("redact: want the JSON pointer of a field of the input, such as /properties/email, have %.100v", ast.String(p))
		}
	}
	return l
}

// inDocument reports whether a JSON pointer is that of a fact, of a member of
// one, or of facts.
func inDocument(pointer string) bool {
	rest, ok := strings.CutPrefix(pointer, "/")
	if !ok {
		return false
	}
	path := strings.Split(rest, "/")
	if f, rest, ok := factAt(path); ok {
		switch f.form.(type) {
		case textOf, numberOf, truthOf:
			return len(rest) == 0
		}
		return true
	}
	return slices.ContainsFunc(factPaths, func(names []string) bool {
		return len(names) > len(path) && slices.Equal(names[:len(path)], path)
	})
}

func (l logUse) add(f *fold, _ *rule) {
	f.log.Level = earlier(logLevels, f.log.Level, l.Level)
	f.log.Redact = append(f.log.Redact, l.Redact...)
}

// Labels are for the record. Of two rules that give one different values, the
// one with the higher priority in its METADATA speaks.
type labels table[string]

func readLabel(h *head) effect { return labels(h.texts()) }

func (l labels) add(f *fold, r *rule) {
	for _, label := range l {
		c := f.labels.at(label.name)
		c.add(label.value, r, label.value == c.value)
	}
}

func labelTexts(all table[claim[string]]) (map[string]string, error) {
	if all == nil {
		return nil, nil
	}
	texts := make(map[string]string, len(all))
	for i := range all {
		v, err := all[i].value.settled("label: \"", all[i].name, "\": value")
		if err != nil {
			return nil, err
		}
		texts[all[i].name] = v
	}
	return texts, nil
}
