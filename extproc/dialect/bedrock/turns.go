package bedrock

import (
	"slices"
	"strings"
	"unicode"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A turn is what one side says at a stretch: the API wants the sides to take
// turns.
type turn struct {
	role  llm.Role
	parts []llm.Part
}

// turns merges the messages into turns and puts the results of tools in front
// of their turn, as Claude demands. What has no text is left out. Instructions
// between turns become text of the user, in <system> tags, at their place: not
// every model takes the role system.
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
		switch n := len(out); {
		case len(parts) == 0:
		case n > 0 && out[n-1].role == role:
			out[n-1].parts = append(out[n-1].parts, parts...)
		default:
			out = append(out, turn{role, parts})
		}
	}
	for i := range out {
		slices.SortStableFunc(out[i].parts, func(a, b llm.Part) int { return rank(a.Kind) - rank(b.Kind) })
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

// rank orders the parts of a turn: results of tools first.
func rank(k llm.PartKind) int {
	if k == llm.PartToolResult {
		return 0
	}
	return 1
}

// usable returns the parts of a message that the API would take.
func (e *requestEncoder) usable(m llm.Message) (out []llm.Part) {
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
			if p.Signature == "" || foreign(&p) {
				e.Warn("messages.reasoning", "left out: models on Bedrock take back only reasoning that they have signed")
				continue
			}
		}
		out = append(out, p)
	}
	return out
}

// systemAsTurn makes instructions without a question the question.
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
	if e.target.Rules.NoPrefill {
		return llm.Unsupported(e.Name("messages"), "the model %s does not go on with an assistant's message", e.target.Model)
	}
	p.Text = strings.TrimRightFunc(p.Text, unicode.IsSpace)
	return nil
}

// lostThinking reports whether the conversation ends with results of tools
// whose calls come without the thinking before them.
func lostThinking(turns []turn) bool {
	n := len(turns)
	if n < 2 || turns[n-1].role != llm.RoleUser || turns[n-1].parts[0].Kind != llm.PartToolResult {
		return false
	}
	for _, p := range turns[n-2].parts {
		switch p.Kind {
		case llm.PartReasoning, llm.PartRedacted:
			return false
		case llm.PartToolCall:
			return true
		}
	}
	return false
}

func (e *requestEncoder) messages(turns []turn) error {
	e.dst = append(comma(e.dst, len(e.dst)-1), `"messages":[`...)
	for i, t := range turns {
		e.dst = append(comma(e.dst, i), `{"role":"`...)
		e.dst = append(append(e.dst, t.role...), `","content":`...)
		if err := e.blocks(t.parts, true); err != nil {
			return err
		}
		e.dst = append(e.dst, '}')
	}
	e.dst = append(e.dst, ']')
	return nil
}

// Instructions that stand for what the API cannot express.
const (
	onlyJSON = "Answer with one JSON object and nothing else: no prose, no code fence."
	noTools  = "Do not call any tool in this answer."
)

// system writes the instructions. forbidden says that tools must not be called.
func (e *requestEncoder) system(forbidden bool) error {
	var parts []llm.Part
	if !e.asked {
		parts = e.usable(llm.Message{Parts: e.Request.System})
	}
	if f := e.Request.Format; f != nil && f.Kind == llm.FormatJSON {
		parts = append(parts, llm.Part{Kind: llm.PartText, Text: onlyJSON})
		e.Warn("response_format", "json_object was turned into an instruction: the API has no such mode")
	}
	if forbidden {
		parts = append(parts, llm.Part{Kind: llm.PartText, Text: noTools})
		e.Warn("tools", "those that the conversation has called were sent, with the instruction to call none: the API demands them")
	}
	if len(parts) == 0 {
		return nil
	}
	for _, p := range parts {
		if p.Kind != llm.PartText {
			return e.Refuse(&p, "in instructions")
		}
	}
	e.dst = append(comma(e.dst, len(e.dst)-1), `"system":`...)
	return e.blocks(parts, true)
}
