package openai

import (
	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// EncodeRequest writes the request for a target: a client's own bytes with a
// few of them replaced, or the canonical form of another dialect's request.
func (d *Dialect) EncodeRequest(r *llm.Request, t dialect.Target) (*dialect.Wire, error) {
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
	if role := t.Rules.SystemRole; role != "" {
		changed.Edits = append(changed.Edits[:len(changed.Edits):len(changed.Edits)], roleEdits(&r.Body, role)...)
	}
	p := setModel(changed.Patch(), r, t)
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

// roleEdits gives instructions the role that the target knows: older servers
// know only system, some models only developer.
func roleEdits(b *llm.Body, role string) (edits []llm.Edit) {
	base := 0
	for _, m := range b.Members {
		if m.Name == "messages" {
			base = m.Value.Start
		}
	}
	value := jsonx.AppendString(nil, role)
	in := jsonx.NewReader(b.Member("messages"))
	_ = in.Array(func(int) error { // it was read without error before
		return in.Object(func(name []byte) error {
			if string(name) != "role" {
				_, err := in.Skip()
				return err
			}
			in.Kind()
			at := llm.Span{Start: base + in.Offset()}
			is, err := in.StringBytes()
			at.End = base + in.Offset()
			if s := string(is); s != role && (s == "system" || s == "developer") {
				edits = append(edits, llm.Edit{At: at, New: value})
			}
			return err
		})
	})
	return edits
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
