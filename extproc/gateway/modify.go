package gateway

import (
	"fmt"
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A field is one that a policy can change.
type field struct {
	set    func(*llm.Request, *jsonx.Reader) error
	number func(*llm.Request) (int64, bool) // nil: no number
	clear  func(*llm.Request)
}

// fields are the canonical fields that a policy can change, by name.
var fields = map[string]field{
	"max_tokens": {
		set:    func(r *llm.Request, v *jsonx.Reader) (err error) { r.MaxTokens, err = v.Int(); return err },
		number: func(r *llm.Request) (int64, bool) { return r.MaxTokens, r.MaxTokens > 0 },
		clear:  func(r *llm.Request) { r.MaxTokens = 0 },
	},
	"temperature":       numberField(func(r *llm.Request) *llm.Number { return &r.Temperature }),
	"top_p":             numberField(func(r *llm.Request) *llm.Number { return &r.TopP }),
	"top_k":             numberField(func(r *llm.Request) *llm.Number { return &r.TopK }),
	"seed":              numberField(func(r *llm.Request) *llm.Number { return &r.Seed }),
	"frequency_penalty": numberField(func(r *llm.Request) *llm.Number { return &r.FrequencyPenalty }),
	"presence_penalty":  numberField(func(r *llm.Request) *llm.Number { return &r.PresencePenalty }),
	"user": {
		set:   func(r *llm.Request, v *jsonx.Reader) (err error) { r.User, err = v.String(); return err },
		clear: func(r *llm.Request) { r.User = "" },
	},
}

func numberField(at func(*llm.Request) *llm.Number) field {
	return field{
		set: func(r *llm.Request, v *jsonx.Reader) error {
			s, err := v.NumberText()
			*at(r) = llm.Number(s)
			return err
		},
		number: func(r *llm.Request) (int64, bool) {
			n, err := strconv.ParseFloat(string(*at(r)), 64)
			return int64(n), err == nil
		},
		clear: func(r *llm.Request) { *at(r) = "" },
	}
}

// Modifiable reports whether a policy can change the field.
func Modifiable(path string) bool { _, ok := fields[path]; return ok }

// apply changes the request as the policy says, in its canonical form and in
// the client's bytes.
func apply(ms []Modification, r *llm.Request, client dialect.Dialect) error {
	for _, m := range ms {
		f, ok := fields[m.Path]
		if !ok {
			return fmt.Errorf("gateway: the policy modifies %q, which cannot be changed", m.Path)
		}
		value := m.Value
		switch {
		case m.Remove:
			f.clear(r)
			value = nil
		case m.Max != nil:
			if f.number == nil {
				return fmt.Errorf("gateway: the policy limits %q, which is no number", m.Path)
			}
			if n, ok := f.number(r); ok && n <= *m.Max {
				continue
			}
			value = strconv.AppendInt(nil, *m.Max, 10)
		}
		if value != nil {
			if err := f.set(r, jsonx.NewReader(value)); err != nil {
				return fmt.Errorf("gateway: the policy's value for %q: %w", m.Path, err)
			}
		}
		r.Sets = append(r.Sets, memberSets(r, client.Member(m.Path), value)...)
	}
	return nil
}

// memberSets changes the members that the client's dialect has for a field: the
// one that is there, or else the first.
func memberSets(r *llm.Request, names []string, value []byte) (sets []llm.Set) {
	for _, name := range names {
		if r.Body.Member(name) != nil {
			sets = append(sets, llm.Set{Name: name, Value: value})
		}
	}
	if len(sets) == 0 && value != nil && len(names) > 0 && r.Op != llm.OpForward { // not every path has it
		sets = append(sets, llm.Set{Name: names[0], Value: value})
	}
	return sets
}
