package rego

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// Bounds of what one effect can say.
const (
	maxText    = 1024 // bytes
	maxName    = 64   // bytes, of a tag or label
	maxTags    = 32   // or labels
	maxChain   = 8
	maxInteger = 1 << 53         // exact in every JSON reader
	maxWindow  = 366 * 24 * 3600 // seconds
)

// members are those of an object, of OPA's or another.
type members interface {
	Len() int
	Get(key *ast.Term) *ast.Term
	Foreach(do func(key, value *ast.Term))
}

// A head reads the object of an effect strictly. The first error stays.
type head struct {
	object  members
	guards  guardNames
	loading bool
	err     error
}

// fail notes an error. Values among the arguments are told when rules are loaded,
// not when they are evaluated: then they may be of the request, and errors go
// where nothing is masked.
func (h *head) fail(format string, args ...any) {
	if h.err != nil {
		return
	}
	for i, a := range args {
		switch a.(type) {
		case ast.Value, *ast.Term:
			if !h.loading {
				args[i] = untold{}
			}
		}
	}
	h.err = fmt.Errorf(format, args...)
}

// An untold stands for a value that an error does not tell.
type untold struct{}

// Format writes the same for all verbs.
func (untold) Format(s fmt.State, _ rune) { io.WriteString(s, "***") }

func (h *head) checkKeys(fields []string) {
	if fields == nil {
		return
	}
	h.object.Foreach(func(k, _ *ast.Term) {
		if s, ok := k.Value.(ast.String); !ok || !slices.Contains(fields, string(s)) {
			h.fail("unknown field %s; want %s", k, strings.Join(fields, ", "))
		}
	})
}

// count returns how many of the fields there are, known or not.
func (h *head) count(names ...string) int {
	n := 0
	for _, name := range names {
		if h.object.Get(ast.InternedTerm(name)) != nil {
			n++
		}
	}
	return n
}

// value returns the value of a field, nil where there is none or where it is
// known only in evaluation.
func (h *head) value(name string) ast.Value {
	t := h.object.Get(ast.InternedTerm(name))
	if t == nil || h.loading && !ast.IsConstant(t.Value) {
		return nil
	}
	return t.Value
}

func (h *head) text(name string) (s string, ok bool) {
	switch v := h.value(name).(type) {
	case nil:
		return "", false
	case ast.String:
		if len(v) > maxText {
			h.fail("%s: want at most %d bytes, have %d", name, maxText, len(v))
		}
		return string(v), true
	default:
		h.fail("%s: want a string, have %s", name, ast.ValueName(v))
		return "", false
	}
}

// oneOf reads one of a few words.
func (h *head) oneOf(name string, words []string) (s string, ok bool) {
	s, ok = h.text(name)
	if ok && !slices.Contains(words, s) {
		h.fail("%s: want %s, have %.100v", name, strings.Join(words, ", "), ast.String(s))
	}
	return s, ok
}

func (h *head) integer(name string, least, most int64) (n int64, ok bool) {
	switch v := h.value(name).(type) {
	case nil:
		return 0, false
	case ast.Number:
		n, ok := v.Int64()
		if !ok || n < least || n > most {
			h.fail("%s: want an integer from %d to %d, have %s", name, least, most, v)
		}
		return n, ok
	default:
		h.fail("%s: want an integer, have %s", name, ast.ValueName(v))
		return 0, false
	}
}

func (h *head) list(name string, limit int) []string {
	v := h.value(name)
	if v == nil {
		return nil
	}
	return h.strings(name, v, limit)
}

// strings reads an array, or a set, of 1 to limit strings.
func (h *head) strings(name string, v ast.Value, limit int) []string {
	all, ok := v.(interface {
		Len() int
		Foreach(func(*ast.Term))
	})
	if _, object := v.(ast.Object); !ok || object {
		h.fail("%s: want an array, have %s", name, ast.ValueName(v))
		return nil
	}
	if all.Len() == 0 || all.Len() > limit {
		h.fail("%s: want 1 to %d strings, have %d", name, limit, all.Len())
		return nil
	}
	out := make([]string, 0, all.Len())
	all.Foreach(func(t *ast.Term) {
		s, ok := t.Value.(ast.String)
		if !ok || s == "" {
			h.fail("%s: want strings that are not empty, have %s", name, t)
		}
		out = append(out, string(s))
	})
	return out
}

// conditions reads an object of tags, each with a value or an array of them.
func (h *head) conditions(name string) []gateway.Condition {
	v := h.value(name)
	if v == nil {
		return nil
	}
	o, ok := v.(ast.Object)
	if !ok {
		h.fail("%s: want an object, have %s", name, ast.ValueName(v))
		return nil
	}
	if o.Len() == 0 || o.Len() > maxTags {
		h.fail("%s: want 1 to %d members, have %d", name, maxTags, o.Len())
	}
	var out []gateway.Condition
	o.Foreach(func(k, v *ast.Term) {
		tag, ok := k.Value.(ast.String)
		if !ok || tag == "" || len(tag) > maxName {
			h.fail("%s: %s: want a name of 1 to %d bytes", name, k, maxName)
			return
		}
		var values []string
		if s, ok := v.Value.(ast.String); ok {
			if len(s) > maxText {
				h.fail("%s: %s: want at most %d bytes, have %d", name, k, maxText, len(s))
			}
			values = []string{string(s)}
		} else {
			at := name
			if h.loading {
				at = fmt.Sprintf("%s: %s", name, k)
			}
			values = h.strings(at, v.Value, maxTags)
			slices.Sort(values)
		}
		out = append(out, gateway.Condition{Name: string(tag), Values: slices.Compact(values)})
	})
	return out
}

// texts reads the whole object, of strings.
func (h *head) texts() table[string] {
	o := h.object
	if o.Len() == 0 || o.Len() > maxTags {
		h.fail("want 1 to %d members, have %d", maxTags, o.Len())
	}
	t := make(table[string], 0, o.Len())
	o.Foreach(func(k, v *ast.Term) {
		if h.loading && !(ast.IsConstant(k.Value) && ast.IsConstant(v.Value)) {
			return
		}
		name, ok := k.Value.(ast.String)
		s, ok2 := v.Value.(ast.String)
		switch {
		case !ok || name == "" || len(name) > maxName:
			h.fail("%s: want a name of 1 to %d bytes", k, maxName)
		case !ok2:
			h.fail("%s: want a string, have %s", k, ast.ValueName(v.Value))
		case len(s) > maxText:
			h.fail("%s: want at most %d bytes, have %d", k, maxText, len(s))
		}
		*t.at(string(name)) = string(s)
	})
	return t
}

// json returns a field's value as JSON, nil where there is none. Keys and sets
// are sorted, so that equal values are equal bytes.
func (h *head) json(name string) []byte {
	v := h.value(name)
	if v == nil {
		return nil
	}
	x, err := ast.JSONWithOpt(v, ast.JSONOpt{SortSets: true})
	if err != nil {
		h.fail("%s: %w", name, err)
		return nil
	}
	b, err := json.Marshal(x)
	if err != nil {
		h.fail("%s: %w", name, err)
	}
	return b
}
