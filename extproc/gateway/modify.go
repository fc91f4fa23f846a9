package gateway

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A field is one that a policy can change.
type field struct {
	set    func(*llm.Request, *jsonx.Reader) error // nil: it can be removed only
	number func(*llm.Request) llm.Number           // nil: no number
	clear  func(*llm.Request)

	embeddings bool // requests for embeddings have it, besides those for chats

	// A field that shows in the answer is given to those alone whose format has
	// it, and a limit of it is no reason to give it: without it there is less.
	shows bool

	extra bool                    // there is no canonical field, see llm.Request.Extra
	fits  func(*llm.Request) bool // whether a value makes sense; nil: always
	bytes func(*change)           // changes the client's bytes; nil: by the dialect's members
}

// fields are what a policy can change, by name.
var fields = map[string]field{
	"max_tokens": integerField(1, func(r *llm.Request) *int64 { return &r.MaxTokens }),
	"n":          showing(integerField(1, func(r *llm.Request) *int64 { return &r.N })),
	"logprobs": showing(field{
		set:   func(r *llm.Request, v *jsonx.Reader) (err error) { r.Logprobs, err = v.Bool(); return err },
		clear: func(r *llm.Request) { r.Logprobs = false },
	}),
	"top_logprobs": func() field {
		f := showing(integerField(0, func(r *llm.Request) *int64 { return &r.TopLogprobs }))
		f.fits = func(r *llm.Request) bool { return r.Logprobs }
		return f
	}(),
	"temperature":       numberField(func(r *llm.Request) *llm.Number { return &r.Temperature }),
	"top_p":             numberField(func(r *llm.Request) *llm.Number { return &r.TopP }),
	"top_k":             numberField(func(r *llm.Request) *llm.Number { return &r.TopK }),
	"seed":              numberField(func(r *llm.Request) *llm.Number { return &r.Seed }),
	"frequency_penalty": numberField(func(r *llm.Request) *llm.Number { return &r.FrequencyPenalty }),
	"presence_penalty":  numberField(func(r *llm.Request) *llm.Number { return &r.PresencePenalty }),
	"stop": {
		set: func(r *llm.Request, v *jsonx.Reader) error {
			r.Stop = nil
			return v.Array(func(int) error {
				s, err := v.String()
				r.Stop = append(r.Stop, s)
				return err
			})
		},
		clear: func(r *llm.Request) { r.Stop = nil },
	},
	"user": {
		set:        func(r *llm.Request, v *jsonx.Reader) (err error) { r.User, err = v.String(); return err },
		clear:      func(r *llm.Request) { r.User = "" },
		embeddings: true,
	},
	"metadata": {
		clear: func(r *llm.Request) {
			if r.Dialect == llm.Anthropic { // which has the user's name there
				r.User = ""
			}
		},
		extra: true,
	},
	"verbosity": {
		set: func(_ *llm.Request, v *jsonx.Reader) error {
			_, err := oneOf(v, "low", "medium", "high")
			return err
		},
		clear: func(*llm.Request) {},
		extra: true,
	},
	"reasoning_effort": {
		set: func(r *llm.Request, v *jsonx.Reader) error {
			effort, err := oneOf(v, llm.Efforts...)
			r.Reasoning = &llm.Reasoning{Effort: effort}
			return err
		},
		clear: func(r *llm.Request) {
			if r.Reasoning != nil { // which others may hold
				rest := *r.Reasoning
				rest.Effort = ""
				r.Reasoning = &rest
			}
		},
	},
	"parallel_tool_calls": {
		set: func(r *llm.Request, v *jsonx.Reader) error {
			parallel, err := v.Bool()
			r.SerialTools = !parallel
			return err
		},
		clear: func(r *llm.Request) { r.SerialTools = false },
		fits:  func(r *llm.Request) bool { return len(r.Tools) > 0 },
		bytes: parallelTools,
	},
	"tool_choice": toolChoice,
}

func numberField(at func(*llm.Request) *llm.Number) field {
	return field{
		set: func(r *llm.Request, v *jsonx.Reader) error {
			s, err := v.NumberText()
			*at(r) = llm.Number(s)
			return err
		},
		number: func(r *llm.Request) llm.Number { return *at(r) },
		clear:  func(r *llm.Request) { *at(r) = "" },
	}
}

func integerField(least int64, at func(*llm.Request) *int64) field {
	return field{
		set: func(r *llm.Request, v *jsonx.Reader) error {
			n, err := v.Int()
			if *at(r) = n; err == nil && n < least {
				err = fmt.Errorf("want at least %d", least)
			}
			return err
		},
		number: func(r *llm.Request) llm.Number {
			if n := *at(r); n > 0 {
				return llm.Number(strconv.FormatInt(n, 10))
			}
			return ""
		},
		clear: func(r *llm.Request) { *at(r) = 0 },
	}
}

func showing(f field) field {
	f.shows = true
	return f
}

func oneOf(v *jsonx.Reader, words ...string) (string, error) {
	s, err := v.String()
	if err == nil && !slices.Contains(words, s) {
		err = fmt.Errorf("want %s, have %.100q", strings.Join(words, ", "), s)
	}
	return s, err
}

// Check reports what is wrong with a modification, whatever the request is. A
// path that is empty, or a value, is not known yet.
func (m *Modification) Check() error {
	if m.Path == "" {
		return nil
	}
	f, ok := fields[m.Path]
	switch {
	case !ok:
		return fmt.Errorf("/%s cannot be changed; what can be is /%s", m.Path, strings.Join(sortedNames(fields), ", /"))
	case m.Max != nil && f.number == nil:
		return fmt.Errorf("/%s is no number, so it has no max", m.Path)
	case m.Value == nil:
		return nil
	case f.set == nil:
		return fmt.Errorf("/%s can be removed only", m.Path)
	}
	in := jsonx.NewReader(m.Value)
	err := f.set(&llm.Request{}, in)
	if err == nil {
		err = in.End()
	}
	if err != nil {
		return fmt.Errorf("/%s: value: %w", m.Path, err)
	}
	return nil
}

func sortedNames(all map[string]field) (names []string) {
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// apply changes the request as the policy says, in its canonical form and in
// the client's bytes. A field that the operation does not have stays out of it.
func apply(ms []Modification, r *llm.Request, client dialect.Dialect) error {
	for i := 0; i < len(ms); i++ {
		m := &ms[i]
		if err := m.Check(); err != nil {
			return &PolicyError{FaultDecode, "", fmt.Errorf("modify: %w", err)}
		}
		if m.Path == "" {
			return &PolicyError{FaultDecode, "", errors.New("modify: no path")}
		}
		if m.Path == "logprobs" && (m.Remove || string(m.Value) == "false") { // there is nothing that they could be added to
			m = &Modification{Path: m.Path, Remove: true}
			ms = append(slices.Clip(ms), Modification{Path: "top_logprobs", Remove: true})
		}
		if m.Path == "tool_choice" && m.Remove && r.Dialect == llm.Anthropic && r.SerialTools { // which stands within it
			m = &Modification{Path: m.Path, Value: []byte(`"auto"`)}
		}
		f, c := fields[m.Path], change{Modification: m, req: r, names: client.Member(m.Path)}
		switch {
		case r.Op == llm.OpForward:
			c.forwarded(&f)
		case r.Op == llm.OpChat, r.Op == llm.OpEmbeddings && f.embeddings:
			c.field(&f)
		}
	}
	return nil
}

// A change is a modification of one request.
type change struct {
	*Modification
	req   *llm.Request
	names []string // of the members that hold the field, see dialect.Dialect.Member
}

// forwarded changes a field where it is: nobody knows which fields the path has.
func (c *change) forwarded(f *field) {
	there := slices.ContainsFunc(c.names, func(name string) bool { return memberAt(c.req, name) != nil })
	if f.bytes == nil || c.Value == nil {
		c.bytes(false)
	} else if there {
		_ = f.set(c.req, jsonx.NewReader(c.Value)) // checked
		f.bytes(c)
	}
}

// field changes a field that the operation has.
func (c *change) field(f *field) {
	r := c.req
	switch {
	case f.shows && len(c.names) == 0:
		return
	case c.Remove && c.Path == "max_tokens" && r.Dialect == llm.Anthropic: // which demands it
		return
	}
	switch {
	case c.Remove:
		f.clear(r)
		c.leaveExtra()
		c.bytes(false)
	case c.Max != nil:
		if n := f.number(r); n == "" && f.shows || n != "" && !above(n, *c.Max) {
			c.bytes(false) // a format can have two names for a field
			return
		}
		_ = f.set(r, jsonx.NewReader(strconv.AppendInt(nil, *c.Max, 10))) // checked
		c.bytes(true)
	case f.fits == nil || f.fits(r):
		_ = f.set(r, jsonx.NewReader(c.Value)) // checked
		if f.bytes != nil {
			f.bytes(c)
			return
		}
		c.bytes(true)
		if f.extra && len(c.names) > 0 {
			c.leaveExtra()
			r.Extra = append(r.Extra, llm.Member{Name: c.names[0], Text: string(c.Value)})
		}
	}
}

func above(n llm.Number, most int64) bool {
	x, err := strconv.ParseFloat(string(n), 64)
	return err != nil || x > float64(most)
}

// bytes changes the members that hold the field. Where there is none, it adds
// the first, if add.
func (c *change) bytes(add bool) {
	value := c.Value
	if c.Max != nil {
		value = strconv.AppendInt(nil, *c.Max, 10)
	}
	found := false
	for _, name := range c.names {
		was := memberAt(c.req, name)
		if was == nil {
			continue
		}
		found = true
		if c.Max == nil || above(llm.Number(was), *c.Max) {
			setMember(c.req, name, value)
		}
	}
	if name := c.first(); add && !found && name != "" {
		setMember(c.req, name, value)
	}
}

// first is the member to add: of the first name, or of one whose object is there.
func (c *change) first() string {
	if len(c.names) == 0 || c.names[0] == "" {
		return ""
	}
	for _, name := range c.names {
		if object, _, ok := strings.Cut(name, "."); ok && memberAt(c.req, object) != nil {
			return name
		}
	}
	return c.names[0]
}

// leaveExtra forgets what has no canonical field, so that no other dialect gets it.
func (c *change) leaveExtra() {
	c.req.Extra = slices.DeleteFunc(slices.Clone(c.req.Extra), func(m llm.Member) bool {
		return slices.ContainsFunc(c.names, func(name string) bool {
			rest, ok := strings.CutPrefix(m.Name, name)
			return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
		})
	})
}
