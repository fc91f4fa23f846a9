package config

import (
	"errors"
	"strconv"
	"strings"

	"github.com/attache-gateway/attache/extproc/llm"
	"github.com/attache-gateway/attache/extproc/provider"
)

// rule reads what the file says of some models of a provider.
func (r *reader) rule(p *Provider, v value) {
	var o provider.Override
	fields := map[string]field{"model": parsed(r, &o.Model, parsePattern)}
	names := provider.RuleFields()
	for _, name := range names {
		fields[name] = r.ruleField(provider.RuleField(&o.Rules, name), name)
	}
	r.object(v, fields)
	r.missing(v.path+".model", "is missing; it is a model's name, in which * stands for any characters but /")
	for _, name := range names {
		if r.has(join(v.path, name)) {
			o.Given = append(o.Given, name)
		}
	}
	if len(o.Given) == 0 && !r.wrong(v.path) {
		r.problem(v.path, "says nothing of the model")
	}
	p.Overrides = append(p.Overrides, o)
}

// ruleField reads one rule, by the type that it has in llm.Rules.
func (r *reader) ruleField(to any, name string) field {
	switch to := to.(type) {
	case *bool:
		return parsed(r, to, parseBool)
	case *int64:
		return parsed(r, to, parseTokens)
	case *float64:
		return parsed(r, to, parseFraction)
	case *[]string:
		if name == "efforts" {
			return r.list(func(v value) {
				var level string
				r.choice(&level, llm.Efforts...)(v)
				*to = append(*to, level)
			})
		}
		return r.strings(to)
	case *string:
		if name == "system_role" {
			return r.choice(to, "system", "developer")
		}
		return r.string(to)
	}
	return nil
}

func parseBool(s string) (bool, error) {
	if s != "true" && s != "false" {
		return false, errors.New("must be true or false")
	}
	return s == "true", nil
}

// parseTokens reads a count, in which underscores may part the digits.
func parseTokens(s string) (int64, error) {
	n, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 64)
	if err != nil || n < 0 {
		return 0, errors.New("must be a number that is not negative")
	}
	return n, nil
}

func parseFraction(s string) (float64, error) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f < 0 || f > 100 {
		return 0, errors.New("must be a number from 0 to 100")
	}
	return f, nil
}

func parsePattern(s string) (string, error) {
	if !isPattern(s) {
		return "", errors.New("must be a model's name, in which * stands for any characters but /")
	}
	return s, nil
}

// checkFields looks at the fields that only some kinds of providers have.
func (r *reader) checkFields(at string, p *Provider, preset provider.Preset) {
	for _, name := range preset.Needs {
		switch {
		case name == "url":
			r.missing(at+".url", "is missing; every account of %s has a host of its own", p.Kind)
		case name == "region" && r.has(at+".url") && p.Hosting == "":
		default:
			r.missing(join(at, name), "is missing; %s needs it", p.Kind)
		}
	}
	if r.has(at+".project") && p.Hosting != llm.HostVertex {
		r.problem(at+".project", "means nothing to %s in the dialect %s", p.Kind, p.Dialect)
	}
	if r.has(at+".api_version") && p.Hosting != llm.HostVertex && p.Hosting != llm.HostAzure {
		r.problem(at+".api_version", "means nothing to %s in the dialect %s", p.Kind, p.Dialect)
	}
	below := preset.Below
	if below != "" && (strings.HasSuffix(p.URL, below) || strings.HasSuffix(p.URL, below+"/v1")) {
		r.problem(at+".url", "must end before %s, as in the provider's own SDK", below)
	}
}
