package anthropic

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

func trimRight(s string) string { return strings.TrimRightFunc(s, unicode.IsSpace) }

// blocks writes parts as a list.
func (e *requestEncoder) blocks(parts []llm.Part) error {
	e.dst = append(e.dst, '[')
	for i := range parts {
		e.dst = comma(e.dst, i)
		if err := e.block(&parts[i]); err != nil {
			return err
		}
	}
	e.dst = append(e.dst, ']')
	return nil
}

func (e *requestEncoder) block(p *llm.Part) error {
	switch p.Kind {
	case llm.PartText, llm.PartRefusal:
		e.dst = appendTextBlock(e.dst, p.Text, e.marks.Next(p.Cache))
		return nil
	case llm.PartImage, llm.PartFile:
		return e.media(p)
	case llm.PartToolCall:
		e.toolCall(p)
		return nil
	case llm.PartToolResult:
		return e.toolResult(p)
	case llm.PartReasoning:
		e.dst = append(e.dst, `{"type":"thinking","thinking":`...)
		e.dst = jsonx.AppendString(e.dst, p.Text)
		e.dst = append(e.dst, `,"signature":`...)
		e.dst = append(jsonx.AppendString(e.dst, p.Signature), '}')
		return nil
	case llm.PartRedacted:
		e.dst = append(e.dst, `{"type":"redacted_thinking","data":`...)
		e.dst = append(jsonx.AppendString(e.dst, p.Signature), '}')
		return nil
	}
	return e.Refuse(p, "")
}

func appendTextBlock(dst []byte, text string, cache *llm.Cache) []byte {
	dst = append(dst, `{"type":"text","text":`...)
	dst = jsonx.AppendString(dst, text)
	return append(appendCache(dst, cache), '}')
}

func (e *requestEncoder) toolCall(p *llm.Part) {
	input, ok := dialect.ArgumentsObject(p.Text)
	if !ok {
		e.Warn("messages.tool_calls", "arguments that are no JSON object were sent as the text that they are")
	}
	e.dst = append(e.dst, `{"type":"tool_use","id":`...)
	e.dst = jsonx.AppendString(e.dst, toolID(p.ID))
	e.dst = append(e.dst, `,"name":`...)
	e.dst = jsonx.AppendString(e.dst, p.Name)
	e.dst = append(append(e.dst, `,"input":`...), input...)
	e.dst = append(appendCache(e.dst, e.marks.Next(p.Cache)), '}')
}

func (e *requestEncoder) toolResult(p *llm.Part) error {
	e.dst = append(e.dst, `{"type":"tool_result","tool_use_id":`...)
	e.dst = jsonx.AppendString(e.dst, toolID(p.ID))
	parts := e.usable(llm.Message{Role: llm.RoleUser, Parts: p.Parts})
	if len(parts) > 0 {
		e.dst = append(e.dst, `,"content":`...)
		if err := e.blocks(parts); err != nil {
			return err
		}
	}
	if p.IsError {
		e.dst = append(e.dst, `,"is_error":true`...)
	}
	e.dst = append(appendCache(e.dst, e.marks.Next(p.Cache)), '}')
	return nil
}

// toolID makes an id one that the API takes: letters, digits, _ and -. Others
// get a hash, so that two of them stay two and a call and its result agree.
func toolID(id string) string {
	if id != "" && strings.IndexFunc(id, notInID) < 0 {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	clean := strings.Map(func(r rune) rune {
		if notInID(r) {
			return '_'
		}
		return r
	}, id)
	return clean + "_" + hex.EncodeToString(sum[:8])
}

func notInID(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-')
}
