package openai

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// depart gives a finished request the form that a server wants that departs
// from the format: other names of members, none that it refuses, and ids and
// numbers that it takes. It is the same for requests of every client.
func depart(w *dialect.Wire, q *llm.Request, rules *llm.Rules) *dialect.Wire {
	d := &departures{body: w.Body, rules: rules, request: q, in: jsonx.NewReader(w.Body), warnings: w.Warnings}
	if !d.any(w.Body) {
		return w
	}
	members, err := d.in.Members(d.member)
	if err != nil {
		return w // was written or read without error before
	}
	body := llm.Body{Raw: w.Body, Members: members}
	p := body.Patch(d.edits...)
	for _, m := range members {
		to := d.renamed(m.Name)
		switch {
		case to != m.Name:
			p.Remove(m.Name)
			if body.Member(to) == nil {
				p.Set(to, body.Member(m.Name))
			}
		case !d.takes(m.Name):
			p.Remove(m.Name)
			d.warn(m.Name, "left out: the server does not take it")
		}
	}
	w.Body, w.Warnings = p.Bytes(), d.warnings
	return w
}

type departures struct {
	body     []byte
	rules    *llm.Rules
	request  *llm.Request
	in       *jsonx.Reader
	edits    []llm.Edit
	warnings []string
	thought  bool // the message's reasoning stands in its content
}

// any reports whether the body has to be read.
func (d *departures) any(body []byte) bool {
	r := d.rules
	return r.MaxTemperature > 0 || r.ShortCallIDs || r.PlainMedia || r.ThinkingParts || r.Members != nil || r.Refused != nil ||
		slices.ContainsFunc(renamable[:], func(name string) bool {
			return d.renamed(name) != name && bytes.Contains(body, []byte(name))
		})
}

// renamable are the members that have other names at some servers, beside the
// limit of output tokens.
var renamable = [...]string{"seed", "dimensions", "safety_identifier"}

// renamed is the server's name of a member.
func (d *departures) renamed(name string) string {
	to := ""
	switch name {
	case "seed":
		to = d.rules.SeedField
	case "dimensions":
		to = d.rules.DimensionsField
	case "safety_identifier":
		to = d.rules.UserField
	}
	if to == "" {
		return name
	}
	return to
}

// takes reports whether the server takes a member. Where some members of an
// object are named, it takes no others of that object.
func (d *departures) takes(path string) bool {
	if slices.Contains(d.rules.Refused, path) {
		return false
	}
	if d.rules.Members == nil || slices.Contains(d.rules.Members, path) {
		return true
	}
	object := path[:strings.LastIndexByte(path, '.')+1]
	return !slices.ContainsFunc(d.rules.Members, func(m string) bool {
		return strings.HasPrefix(m, object) && !strings.ContainsRune(m[len(object):], '.')
	})
}

// deep reports whether there is something to change below a value.
func (d *departures) deep(path string) bool {
	below := func(m string) bool { return strings.HasPrefix(m, path+"[") || strings.HasPrefix(m, path+".") }
	return slices.ContainsFunc(d.rules.Members, below) || slices.ContainsFunc(d.rules.Refused, below) ||
		d.rules.ShortCallIDs && below("messages[].tool_calls[].id") || d.rules.PlainMedia && below("messages[].content[].type") ||
		d.rules.ThinkingParts && below("messages[].content")
}

// member reads the value of a member, at any depth.
func (d *departures) member([]byte) error { return d.value(d.in.Shape()) }

func (d *departures) value(path string) error {
	switch kind := d.in.Kind(); {
	case kind == jsonx.String && d.rules.ShortCallIDs && (path == "messages[].tool_calls[].id" || path == "messages[].tool_call_id"):
		return d.shorten()
	case kind == jsonx.Number && path == "temperature" && d.rules.MaxTemperature > 0:
		return d.cool()
	case kind == jsonx.Object && d.rules.PlainMedia && path == "messages[].content[]" && d.media():
		return d.plain()
	case kind == jsonx.Object && d.deep(path):
		members, err := d.in.Members(d.member)
		if err == nil && d.rules.ThinkingParts && path == "messages[]" {
			d.think(members)
		}
		d.drop(path, members)
		return err
	case kind == jsonx.Array && d.deep(path):
		return d.in.Array(func(int) error { return d.value(path + "[]") })
	}
	_, err := d.in.Skip()
	return err
}

// drop takes the members of an object out that the server does not take.
func (d *departures) drop(object string, members []llm.Member) {
	kept := -1 // the last member that stays
	for i, m := range members {
		path := object + "." + m.Name
		if d.takes(path) {
			if kept < 0 && i > 0 {
				d.edits = append(d.edits, llm.Edit{At: llm.Span{Start: members[0].At.Start, End: m.At.Start}})
			}
			kept = i
			continue
		}
		if !d.thought || path != thoughtsPath {
			d.warn(path, "left out: the server does not take it")
		}
		if kept >= 0 {
			d.edits = append(d.edits, llm.Edit{At: llm.Span{Start: members[i-1].At.End, End: m.At.End}})
		}
	}
	if kept < 0 && len(members) > 0 {
		d.edits = append(d.edits, llm.Edit{At: llm.Span{Start: members[0].At.Start, End: members[len(members)-1].At.End}})
	}
}

func (d *departures) text(at llm.Span) string { return string(d.body[at.Start:at.End]) }

const thoughtsPath = "messages[].reasoning_content"

// think puts a message's reasoning before its content, as a part of type
// thinking.
func (d *departures) think(members []llm.Member) {
	var thoughts, content string
	var at llm.Span
	for _, m := range members {
		switch m.Name {
		case "reasoning_content":
			thoughts = d.text(m.Value)
		case "content":
			at, content = m.Value, d.text(m.Value)
		}
	}
	d.thought = strings.HasPrefix(thoughts, `"`) && thoughts != `""` && content != ""
	if !d.thought {
		return
	}
	part := `{"type":"thinking","thinking":[{"type":"text","text":` + thoughts + `}]}`
	switch content[0] {
	case '[':
		if strings.TrimLeft(content[1:], " \t\r\n") != "]" {
			part += ","
		}
		at = llm.Span{Start: at.Start + 1, End: at.Start + 1}
	case '"':
		part = "[" + part + `,{"type":"text","text":` + content + "}]"
	default:
		part = "[" + part + "]"
	}
	d.edits = append(d.edits, llm.Edit{At: at, New: []byte(part)})
}

// cool lowers a temperature to the highest that the server takes.
func (d *departures) cool() error {
	start := d.in.Offset()
	text, err := d.in.NumberText()
	if err != nil {
		return err
	}
	if t, err := strconv.ParseFloat(text, 64); err == nil && t > d.rules.MaxTemperature {
		most := strconv.FormatFloat(d.rules.MaxTemperature, 'g', -1, 64)
		d.edits = append(d.edits, llm.Edit{At: llm.Span{Start: start, End: d.in.Offset()}, New: []byte(most)})
		d.warn("temperature", "lowered to "+most+": the server takes no more")
	}
	return nil
}

// shorten replaces an id of a tool call by one of nine letters and digits, the
// same for the same id.
func (d *departures) shorten() error {
	start := d.in.Offset()
	id, err := d.in.String()
	if err == nil && !short(id) {
		d.edits = append(d.edits, llm.Edit{At: llm.Span{Start: start, End: d.in.Offset()}, New: []byte(`"` + shortID(id) + `"`)})
	}
	return err
}

// media reports whether a part is one that plain rewrites.
func (d *departures) media() bool {
	kind := string(d.in.Tag("type"))
	return kind == "input_audio" || kind == "file"
}

// plain rewrites sound and documents as parts with their bytes as text.
func (d *departures) plain() error {
	start := d.in.Offset()
	raw, err := d.in.Raw()
	if err != nil {
		return err
	}
	part := &reading{Reader: jsonx.NewReader(raw), body: raw, req: &llm.Request{}}
	p, err := part.part()
	if err != nil {
		return err
	}
	d.edits = append(d.edits, llm.Edit{At: llm.Span{Start: start, End: d.in.Offset()}, New: plainPart(&p)})
	return nil
}

func plainPart(p *llm.Part) []byte {
	member := func(dst []byte, name, text string) []byte {
		return jsonx.AppendString(append(append(append(dst, `,"`...), name...), `":`...), text)
	}
	m := &p.Media
	switch {
	case p.Kind == llm.PartAudio:
		return append(member([]byte(`{"type":"input_audio"`), "input_audio", m.Data), '}')
	case m.FileID != "":
		return append(member([]byte(`{"type":"file"`), "file_id", m.FileID), '}')
	}
	kind := m.Type
	if kind == "" {
		kind = "application/pdf"
	}
	dst := member([]byte(`{"type":"document_url"`), "document_url", "data:"+kind+";base64,"+m.Data)
	if m.Name != "" {
		dst = member(dst, "document_name", m.Name)
	}
	return append(dst, '}')
}

const idLength = 9

func short(id string) bool { return len(id) == idLength && alphanumeric(id) == id }

func shortID(id string) string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	sum := sha256.Sum256([]byte(id))
	n := binary.BigEndian.Uint64(sum[:])
	var out [idLength]byte
	for i := range out {
		out[i] = digits[n%uint64(len(digits))]
		n /= uint64(len(digits))
	}
	return string(out[:])
}

// warn notes once what was changed, in the client's words.
func (d *departures) warn(member, reason string) {
	if member == "safety_identifier" {
		member = "user"
	}
	if w := dialect.Name(d.request, strings.ReplaceAll(member, "[]", "")) + ": " + reason; !slices.Contains(d.warnings, w) {
		d.warnings = append(d.warnings, w)
	}
}
