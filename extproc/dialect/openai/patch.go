package openai

import (
	"slices"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// EncodeRequest writes the request for a target: a client's own bytes with a
// few of them replaced, or the canonical form of another dialect's request.
func (d *Dialect) EncodeRequest(r *llm.Request, t dialect.Target) (*dialect.Wire, error) {
	w, err := request(r, t)
	if err != nil {
		return nil, err
	}
	return depart(w, r, &t.Rules), nil
}

// request writes the request as the format has it.
func request(r *llm.Request, t dialect.Target) (*dialect.Wire, error) {
	if r.Dialect != llm.OpenAI {
		return write(r, t)
	}
	switch r.Op {
	case llm.OpEmbeddings:
		return &dialect.Wire{Path: embeddingsPath, Body: setModel(r.Patch(), r, t).Bytes()}, nil
	case llm.OpChat:
		return patch(r, t)
	}
	return nil, llm.Unsupported("", "the openai dialect has no request for %s", r.Op)
}

func setModel(p *llm.Patch, r *llm.Request, t dialect.Target) *llm.Patch {
	if t.Model != "" && t.Model != r.Model {
		p.Set("model", jsonx.AppendString(nil, t.Model))
	}
	return p
}

// patch changes what the target needs otherwise, and nothing else: a member
// that the target does not like is between the client and its provider.
func patch(r *llm.Request, t dialect.Target) (*dialect.Wire, error) {
	w := &dialect.Wire{Path: chatPath}
	changed := *r
	if field := t.Rules.MaxTokensField; field != "" {
		changed.Sets = limitSets(r, field)
	}
	blocks, calls := signed(r)
	calls = calls && !t.Rules.ExtraContent
	if blocks || calls || t.Rules.SystemRole != "" {
		changed.Edits = slices.Concat(r.Edits, messageEdits(&r.Body, t.Rules.SystemRole, calls))
	}
	if blocks {
		w.Warnings = append(w.Warnings, "messages.thinking_blocks: left out: they are another provider's")
	}
	if calls {
		w.Warnings = append(w.Warnings, "messages.tool_calls.extra_content: left out: it is another provider's")
	}
	p := setModel(changed.Patch(), r, t)
	mistral(p, r, t.Rules)
	options := r.Body.Member("stream_options")
	switch {
	case t.Rules.NoUsageOption && options != nil:
		p.Remove("stream_options")
		w.Warnings = append(w.Warnings, "stream_options: the target does not know it")
	case t.AskUsage && r.Stream && !r.StreamUsage && !t.Rules.NoUsageOption:
		p.Set("stream_options", withUsage(options))
	}
	w.Body = p.Bytes()
	return w, nil
}

// mistral gives others what Mistral's clients say in words of their own.
func mistral(p *llm.Patch, r *llm.Request, rules llm.Rules) {
	if string(r.Body.Member("tool_choice")) == `"any"` && !rules.ToolAny {
		p.Set("tool_choice", []byte(`"required"`))
	}
	const field = "random_seed"
	if seed := r.Body.Member(field); seed != nil && rules.SeedField != field {
		p.Remove(field)
		if r.Body.Member("seed") == nil {
			p.Set("seed", seed)
		}
	}
}

// limitSets returns the request's changes with the output limit under the name
// that the target knows.
func limitSets(r *llm.Request, field string) []llm.Set {
	other := "max_tokens"
	if field == other {
		other = "max_completion_tokens"
	}
	value := r.Body.Member(other)
	var sets []llm.Set
	for _, s := range r.Sets {
		if s.Name == other {
			value = s.Value
			continue
		}
		if s.Name == field {
			value = nil // has the name already
		}
		sets = append(sets, s)
	}
	if r.Body.Member(other) != nil {
		sets = append(sets, llm.Set{Name: other})
	}
	if value != nil && (r.Body.Member(field) == nil || other == "max_completion_tokens") { // which goes first
		sets = append(sets, llm.Set{Name: field, Value: value})
	}
	return sets
}

// messageEdits gives instructions the role that the target knows, if there is
// one: older servers know only system, some models only developer. And it takes
// thinking_blocks out: their signatures are another provider's, and whoever
// signs them does not speak this dialect. If calls, it takes the extra_content
// of tool calls out as well, which only Google's servers take.
func messageEdits(b *llm.Body, role string, calls bool) (edits []llm.Edit) {
	base := 0
	for _, m := range b.Members {
		if m.Name == "messages" {
			base = m.Value.Start
		}
	}
	in := jsonx.NewReader(b.Member("messages"))
	_ = in.Array(func(int) error { // it was read without error before
		members, err := in.Members(func(name []byte) error {
			if calls && string(name) == "tool_calls" && in.Kind() == jsonx.Array {
				return in.Array(func(int) error {
					extra, err := extraEdits(in, base)
					edits = append(edits, extra...)
					return err
				})
			}
			_, err := in.Skip()
			return err
		})
		for i, m := range members {
			at := llm.Span{Start: base + m.Value.Start, End: base + m.Value.End}
			switch m.Name {
			case "role":
				is := string(b.Raw[at.Start:at.End])
				if role != "" && (is == `"system"` || is == `"developer"`) && is != `"`+role+`"` {
					edits = append(edits, llm.Edit{At: at, New: jsonx.AppendString(nil, role)})
				}
			case "thinking_blocks":
				edits = append(edits, llm.Edit{At: withComma(members, i, base)})
			}
		}
		return err
	})
	return edits
}

// extraEdits takes extra_content out of the tool call that comes next.
func extraEdits(in *jsonx.Reader, base int) (edits []llm.Edit, err error) {
	members, err := in.Members(func([]byte) error { _, err := in.Skip(); return err })
	for i, m := range members {
		if m.Name == "extra_content" {
			edits = append(edits, llm.Edit{At: withComma(members, i, base)})
		}
	}
	return edits, err
}

// withComma is the place of a member with the comma before or behind it.
func withComma(members []llm.Member, i, base int) llm.Span {
	at := members[i].At
	switch {
	case i > 0:
		at.Start = members[i-1].At.End
	case len(members) > 1:
		at.End = members[1].At.Start
	}
	return llm.Span{Start: base + at.Start, End: base + at.End}
}

// signed reports whether the request holds signatures, of reasoning and of tool
// calls.
func signed(r *llm.Request) (blocks, calls bool) {
	for _, m := range r.Messages {
		for i := range m.Parts {
			if p := &m.Parts[i]; p.Signature != "" {
				calls = calls || p.Kind == llm.PartToolCall
				blocks = blocks || p.Kind != llm.PartToolCall
			}
		}
	}
	return blocks, calls
}

// withUsage adds include_usage to stream options, of which there may be none.
func withUsage(options []byte) []byte {
	const ask = `{"include_usage":true`
	in := jsonx.NewReader(options)
	if in.Kind() != jsonx.Object {
		return []byte(ask + "}")
	}
	members, _ := in.Members(func([]byte) error { _, err := in.Skip(); return err }) // read before
	out := []byte(ask)
	for _, m := range members {
		if m.Name != "include_usage" {
			out = append(append(out, ','), options[m.At.Start:m.At.End]...)
		}
	}
	return append(out, '}')
}
