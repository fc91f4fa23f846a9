package bedrock

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// blocks writes parts as a list. Marks of what is to be cached are blocks of
// their own behind what they mark; a result's content has none.
func (e *requestEncoder) blocks(parts []llm.Part, marks bool) error {
	e.dst = append(e.dst, '[')
	for i := range parts {
		p := &parts[i]
		e.dst = comma(e.dst, i)
		if err := e.block(p); err != nil {
			return err
		}
		switch {
		case p.Cache == nil:
		case !marks:
			e.Warn("cache_control", "left out in the result of a tool: the API has no marks there")
		default:
			e.mark(p.Cache)
		}
	}
	e.dst = append(e.dst, ']')
	return nil
}

func (e *requestEncoder) block(p *llm.Part) error {
	switch p.Kind {
	case llm.PartText, llm.PartRefusal:
		e.dst = append(jsonx.AppendString(append(e.dst, `{"text":`...), p.Text), '}')
		return nil
	case llm.PartImage, llm.PartFile, llm.PartAudio:
		return e.media(p)
	case llm.PartToolCall:
		e.toolUse(p)
		return nil
	case llm.PartToolResult:
		return e.toolResult(p)
	case llm.PartReasoning:
		e.dst = jsonx.AppendString(append(e.dst, `{"reasoningContent":{"reasoningText":{"text":`...), p.Text)
		e.dst = jsonx.AppendString(append(e.dst, `,"signature":`...), p.Signature)
		e.dst = append(e.dst, "}}}"...)
		return nil
	case llm.PartRedacted:
		e.dst = jsonx.AppendString(append(e.dst, `{"reasoningContent":{"redactedContent":`...), wrap(p.Signature))
		e.dst = append(e.dst, "}}"...)
		return nil
	}
	return e.Refuse(p, "")
}

func (e *requestEncoder) toolUse(p *llm.Part) {
	input, ok := dialect.ArgumentsObject(p.Text)
	if !ok {
		e.Warn("messages.tool_calls", "arguments that are no JSON object were sent as the text that they are")
	}
	e.dst = jsonx.AppendString(append(e.dst, `{"toolUse":{"toolUseId":`...), e.toolID(p.ID))
	e.dst = jsonx.AppendString(append(e.dst, `,"name":`...), p.Name)
	e.dst = append(append(append(e.dst, `,"input":`...), input...), "}}"...)
}

// noOutput stands for the result of a tool that said nothing: the API refuses
// results without content.
const noOutput = "(no output)"

func (e *requestEncoder) toolResult(p *llm.Part) error {
	e.dst = jsonx.AppendString(append(e.dst, `{"toolResult":{"toolUseId":`...), e.toolID(p.ID))
	parts := e.usable(llm.Message{Role: llm.RoleUser, Parts: p.Parts})
	if len(parts) == 0 {
		parts = []llm.Part{{Kind: llm.PartText, Text: noOutput}}
	}
	e.dst = append(e.dst, `,"content":`...)
	if err := e.blocks(parts, false); err != nil {
		return err
	}
	if p.IsError {
		e.dst = append(e.dst, `,"status":"error"`...)
	}
	e.dst = append(e.dst, "}}"...)
	return nil
}

// toolID makes an id one that the model takes.
func (e *requestEncoder) toolID(id string) string {
	if e.family != mistralFamily {
		return toolID(id)
	}
	const length = 9 // letters and digits, says Mistral
	if len(id) == length && strings.IndexFunc(id, func(r rune) bool { return notInID(r) || strings.ContainsRune("_.:-", r) }) < 0 {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])[:length]
}

// maxToolID is the longest id that the API takes.
const maxToolID = 64

// toolID makes an id one that the API takes: letters, digits and _.:- , at most
// 64. Others get a hash, so that two of them stay two and a call and its result
// agree.
func toolID(id string) string {
	if id != "" && len(id) <= maxToolID && strings.IndexFunc(id, notInID) < 0 {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	hash := hex.EncodeToString(sum[:8])
	clean := strings.Map(func(r rune) rune {
		if notInID(r) {
			return '_'
		}
		return r
	}, id)
	return clean[:min(len(clean), maxToolID-len(hash)-1)] + "_" + hash
}

func notInID(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_.:-", r))
}

// maxDocumentName is the longest name of a document that the API takes.
const maxDocumentName = 200

// documentName makes a name one that the API takes, and that no other document
// of the request has: letters, digits, single spaces, hyphens and brackets.
func (e *requestEncoder) documentName(name string) string {
	clean := strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if notInID(r) && !strings.ContainsRune("()[]", r) || strings.ContainsRune("_.:", r) {
			return ' '
		}
		return r
	}, name)), " ")
	if clean == "" {
		clean = "document"
	}
	clean = clean[:min(len(clean), maxDocumentName-8)]
	if e.names == nil {
		e.names = map[string]bool{}
	}
	unique := clean
	for n := 2; e.names[unique]; n++ {
		unique = clean + " " + strconv.Itoa(n)
	}
	e.names[unique] = true
	return unique
}

// mark writes a cache mark behind what it marks.
func (e *requestEncoder) mark(c *llm.Cache) {
	if c == nil {
		return
	}
	if e.family != claudeFamily && e.family != novaFamily {
		e.Warn("cache_control", "left out: the model caches by no marks")
		return
	}
	if c = e.marks.Next(c); c == nil {
		return
	}
	e.dst = append(e.dst, `,{"cachePoint":{"type":"default"`...)
	if c.TTL != "" {
		e.dst = append(append(append(e.dst, `,"ttl":"`...), c.TTL...), '"')
	}
	e.dst = append(e.dst, "}}"...)
}
