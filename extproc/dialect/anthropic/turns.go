package anthropic

import (
	"slices"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A turn is what one side says at a stretch: the API wants the sides to take
// turns.
type turn struct {
	role  llm.Role
	parts []llm.Part
}

// turns merges the messages into turns and puts the results of tools in front
// of their turn, as the API demands. What has no text is left out. A system
// message between turns becomes text of the user, in <system> tags, at its
// place: moved to the front it would precede what it refers to and spoil
// cached prompts.
func (e *requestEncoder) turns() ([]turn, error) {
	var out []turn
	for _, m := range e.Request.Messages {
		role := m.Role
		if role == llm.RoleSystem {
			role = llm.RoleUser
		}
		if m.Name != "" {
			e.Warn("messages.name", "left out: the API knows no names of speakers")
		}
		parts := e.usable(m)
		if len(parts) == 0 {
			continue
		}
		if n := len(out); n > 0 && out[n-1].role == role {
			out[n-1].parts = append(out[n-1].parts, parts...)
			continue
		}
		out = append(out, turn{role, parts})
	}
	for i := range out {
		slices.SortStableFunc(out[i].parts, resultsFirst)
	}
	if len(out) == 0 {
		out = e.systemAsTurn()
	}
	if len(out) == 0 {
		return nil, llm.Invalid(e.Name("messages"), "hold no text")
	}
	if last := &out[len(out)-1]; last.role == llm.RoleAssistant {
		return out, e.prefill(last)
	}
	return out, nil
}

func resultsFirst(a, b llm.Part) int {
	switch {
	case (a.Kind == llm.PartToolResult) == (b.Kind == llm.PartToolResult):
		return 0
	case a.Kind == llm.PartToolResult:
		return -1
	}
	return 1
}

// usable returns the parts of a message that the API would take.
func (e *requestEncoder) usable(m llm.Message) []llm.Part {
	var out []llm.Part
	for _, p := range m.Parts {
		switch p.Kind {
		case llm.PartText, llm.PartRefusal:
			if blank(p.Text) {
				continue
			}
			if m.Role == llm.RoleSystem {
				p.Text = "<system>\n" + p.Text + "\n</system>"
			}
		case llm.PartReasoning, llm.PartRedacted:
			if foreign(&p) {
				e.Warn("messages.reasoning", "left out: the API takes back only reasoning that Anthropic has signed")
				continue
			}
		}
		out = append(out, p)
	}
	return out
}

// systemAsTurn makes instructions without a question the question: the API
// wants at least one message.
func (e *requestEncoder) systemAsTurn() []turn {
	parts := e.usable(llm.Message{Role: llm.RoleUser, Parts: e.Request.System})
	if len(parts) == 0 {
		return nil
	}
	e.Warn("messages", "the instructions were sent as the user's: the API wants a message")
	e.asked = true
	return []turn{{llm.RoleUser, parts}}
}

// prefill prepares an answer that the model shall go on with. It must not end
// in white space.
func (e *requestEncoder) prefill(last *turn) error {
	p := &last.parts[len(last.parts)-1]
	if p.Kind != llm.PartText {
		return nil
	}
	if e.rules.NoPrefill {
		return llm.Unsupported(e.Name("messages"), "the model %s does not go on with an assistant's message", e.target.Model)
	}
	p.Text = trimRight(p.Text)
	return nil
}

func (e *requestEncoder) messages(turns []turn) error {
	e.dst = append(e.dst, `,"messages":[`...)
	for i, t := range turns {
		e.dst = append(comma(e.dst, i), `{"role":"`...)
		e.dst = append(append(e.dst, t.role...), `","content":`...)
		if err := e.blocks(t.parts); err != nil {
			return err
		}
		e.dst = append(e.dst, '}')
	}
	e.dst = append(e.dst, ']')
	return nil
}

func (e *requestEncoder) system() error {
	var parts []llm.Part
	if !e.asked {
		parts = e.usable(llm.Message{Parts: e.Request.System})
	}
	if f := e.Request.Format; f != nil && f.Kind == llm.FormatJSON {
		const instruction = "Answer with one JSON object and nothing else: no prose, no code fence."
		parts = append(parts, llm.Part{Kind: llm.PartText, Text: instruction})
		e.Warn("response_format", "json_object was turned into an instruction: the API has no such mode")
	}
	if len(parts) == 0 {
		return nil
	}
	e.dst = append(e.dst, `,"system":`...)
	for _, p := range parts {
		if p.Kind != llm.PartText {
			return e.Refuse(&p, "in instructions")
		}
	}
	return e.blocks(parts)
}

func appendCache(dst []byte, c *llm.Cache) []byte {
	if c == nil {
		return dst
	}
	dst = append(dst, `,"cache_control":{"type":"ephemeral"`...)
	if c.TTL != "" {
		dst = append(dst, `,"ttl":`...)
		dst = jsonx.AppendString(dst, c.TTL)
	}
	return append(dst, '}')
}
