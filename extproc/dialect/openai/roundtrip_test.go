package openai

import (
	"bytes"
	"slices"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A recorded request, written from its canonical form as another dialect's
// would be, means the same when it is read again and is what OpenAI describes.
func TestCorpusWritten(t *testing.T) {
	d, valid := New(), spec(t)
	same, refused := 0, map[string]int{}
	for _, rec := range recordings(t, "chat") {
		body := rec.Request.Body
		if len(body) == 0 || body[0] != '{' {
			continue
		}
		r, err := d.DecodeRequest(llm.OpChat, body)
		if err != nil {
			t.Fatalf("%s: %v", rec.ID, err)
		}
		r.Dialect = "another"
		w, err := d.EncodeRequest(r, dialect.Target{Model: r.Model, Rules: llm.Rules{Reasons: true, ReasoningField: "reasoning_content"}})
		if err != nil {
			refused[err.Error()]++
			continue
		}
		if err := valid("CreateChatCompletionRequest", w.Body); err != nil {
			t.Errorf("%s: %v\n%s", rec.ID, err, w.Body)
		}
		again, err := d.DecodeRequest(llm.OpChat, w.Body)
		if err != nil {
			t.Errorf("%s: %v", rec.ID, err)
			continue
		}
		if mediaInResult(r) {
			continue // it moves to a message of its own, see TestCrossing
		}
		if got, want := canonical(t, plainRequest(again)), canonical(t, plainRequest(r)); !bytes.Equal(got, want) {
			t.Errorf("%s:\ngot  %s\nwant %s", rec.ID, got, want)
		}
		same++
	}
	t.Logf("%d requests mean the same; refused: %v", same, refused)
}

// plainRequest takes out what a translation changes on purpose.
func plainRequest(r *llm.Request) *llm.Request {
	c := *r
	c.Dialect, c.Extra, c.StreamUsage, c.TopK, c.Reasoning = "", nil, c.Stream, "", nil
	if c.ServiceTier == "on_demand" { // Groq's
		c.ServiceTier = ""
	}
	if len(c.Tools) == 0 {
		c.ToolChoice, c.SerialTools = llm.ToolChoice{}, false
	}
	c.Tools = nil
	for _, tool := range r.Tools {
		tool.Cache = nil
		if tool.Schema == nil {
			tool.Schema = []byte(`{"type":"object","properties":{}}`)
		}
		c.Tools = append(c.Tools, tool)
	}
	if c.Format != nil && c.Format.Kind == llm.FormatText {
		c.Format = nil
	} else if c.Format != nil && c.Format.Kind == llm.FormatSchema && c.Format.Name == "" {
		f := *c.Format
		f.Name = "answer"
		c.Format = &f
	}
	c.System, c.Messages = plainTurn(r.System, false), nil
	for _, m := range r.Messages {
		m.Parts = plainTurn(m.Parts, m.Role == llm.RoleAssistant)
		if m.Parts != nil {
			c.Messages = append(c.Messages, m)
		}
	}
	return &c
}

func mediaInResult(r *llm.Request) bool {
	for _, m := range r.Messages {
		for _, p := range m.Parts {
			if slices.ContainsFunc(p.Parts, func(q llm.Part) bool { return q.Kind != llm.PartText }) {
				return true
			}
		}
	}
	return false
}

// plainTurn joins an assistant's texts and drops empty ones.
func plainTurn(parts []llm.Part, join bool) (out []llm.Part) {
	text := -1
	for _, p := range parts {
		p.At, p.Cache = llm.Span{}, nil
		switch {
		case p.Kind == llm.PartText && p.Text == "":
			continue
		case p.Kind == llm.PartText && join && text >= 0:
			out[text].Text += p.Text
			continue
		case p.Kind == llm.PartText:
			text = len(out)
		case p.Kind == llm.PartToolCall && p.Text == "":
			p.Text = "{}"
		case p.Kind == llm.PartToolResult:
			p.Name = ""
			if p.Parts = plainTurn(p.Parts, true); p.Parts == nil {
				p.Parts = []llm.Part{{}}
			}
		}
		out = append(out, p)
	}
	return out
}
