package gemini

import (
	"strconv"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// content reads one content. What the model said in several, as SDKs keep the
// chunks of a stream, is one turn.
func (d *requestDecoder) content(int) error {
	d.asked = true
	m := llm.Message{Role: llm.RoleUser}
	err := d.object(func(name string) (err error) {
		switch name {
		case "role":
			m.Role, err = d.role()
		case "parts":
			m.Parts, err = d.parts()
		default:
			err = d.extra()
		}
		return err
	})
	if err != nil {
		return err
	}
	r := d.req
	if n := len(r.Messages); n > 0 && m.Role == llm.RoleAssistant && r.Messages[n-1].Role == m.Role {
		last := &r.Messages[n-1]
		last.Parts = joinThoughts(append(last.Parts, m.Parts...))
		return nil
	}
	m.Parts = joinThoughts(m.Parts)
	r.Messages = append(r.Messages, m)
	return nil
}

// roles are the names of the sides. Results of tools were once said by their
// function.
var roles = map[string]llm.Role{
	"": llm.RoleUser, "user": llm.RoleUser, "model": llm.RoleAssistant, "function": llm.RoleUser, "tool": llm.RoleUser,
}

func (d *requestDecoder) role() (llm.Role, error) {
	if d.Null() {
		return llm.RoleUser, nil
	}
	name, err := d.StringBytes()
	if err != nil {
		return "", err
	}
	role, ok := roles[string(name)]
	if !ok {
		return "", llm.Invalid(d.Path(), "must be user or model")
	}
	return role, nil
}

func (d *requestDecoder) parts() (parts []llm.Part, err error) {
	if d.Null() {
		return nil, nil
	}
	err = d.list(func(int) error {
		p, err := d.part()
		parts = append(parts, p)
		return err
	})
	return parts, err
}

// part reads one part: what kind it is, is said by the member that it has.
func (d *requestDecoder) part() (llm.Part, error) {
	if d.Kind() != jsonx.Object {
		return llm.Part{}, d.Want(jsonx.Object)
	}
	start := d.Offset()
	p := llm.Part{Kind: llm.PartText}
	thought, filled := false, false
	err := d.object(func(name string) (err error) {
		if d.Null() {
			return nil
		}
		switch name {
		case "thought":
			thought, err = d.Bool()
			return err
		case "thoughtSignature":
			p.Signature, err = d.String()
			return err
		case "videoMetadata", "mediaResolution", "partMetadata":
			return d.extra()
		}
		if filled {
			return d.Fail("stands beside other content of the part")
		}
		filled = true
		return d.partMember(&p, name)
	})
	p.Raw = d.body[start:d.Offset()]
	p.Signature = unwrap(p.Signature)
	if thought && p.Kind == llm.PartText {
		p.Kind = llm.PartReasoning
		if data, ok := redacted(p.Signature); ok {
			p.Kind, p.Signature = llm.PartRedacted, data
		}
	}
	return p, err
}

func (d *requestDecoder) partMember(p *llm.Part, name string) (err error) {
	switch name {
	case "text":
		d.Kind() // skips white space
		p.At.Start = d.Offset()
		p.Text, err = d.String()
		p.At.End = d.Offset()
	case "inlineData", "fileData":
		err = d.object(func(name string) error { return d.mediaMember(p, name) })
		p.Kind = mediaKind(p.Media.Type)
	case "functionCall":
		p.Kind, p.Text = llm.PartToolCall, "{}"
		err = d.object(func(name string) error { return d.callMember(p, name) })
		if err == nil && p.Name == "" {
			err = d.Fail("must have a name")
		}
	case "functionResponse":
		p.Kind = llm.PartToolResult
		err = d.object(func(name string) error { return d.resultMember(p, name) })
		if err == nil && p.Name == "" {
			err = d.Fail("must have a name")
		}
	default:
		p.Kind, p.Type = llm.PartOther, name
		_, err = d.Skip()
	}
	return err
}

// uploads begins the links of files that were uploaded to Google.
const uploads = "https://generativelanguage.googleapis.com/"

func (d *requestDecoder) mediaMember(p *llm.Part, name string) (err error) {
	if d.Null() {
		return nil
	}
	m := &p.Media
	switch name {
	case "mimeType":
		m.Type, err = d.String()
		m.Type = strings.ToLower(m.Type)
	case "data":
		m.Data, err = d.String()
		m.Data = standardBase64(m.Data)
	case "fileUri":
		m.URL, err = d.String()
		if strings.HasPrefix(m.URL, uploads) {
			m.FileID, m.URL = m.URL, ""
		}
	case "displayName":
		m.Name, err = d.String()
	default:
		err = d.extra()
	}
	return err
}

// standardBase64 makes one alphabet of the two that protocol buffers take.
func standardBase64(s string) string {
	if !strings.ContainsAny(s, "-_ \t\r\n") {
		return s
	}
	s = strings.NewReplacer("-", "+", "_", "/", " ", "", "\t", "", "\r", "", "\n", "").Replace(s)
	return s + strings.Repeat("=", (4-len(s)%4)%4)
}

func mediaKind(mediaType string) llm.PartKind {
	switch kind, _, _ := strings.Cut(mediaType, "/"); kind {
	case "image":
		return llm.PartImage
	case "audio":
		return llm.PartAudio
	}
	return llm.PartFile
}

func (d *requestDecoder) callMember(p *llm.Part, name string) (err error) {
	if d.Null() {
		return nil
	}
	switch name {
	case "id":
		p.ID, err = d.String()
	case "name":
		p.Name, err = d.String()
	case "args":
		var raw []byte
		raw, err = d.rawObject()
		p.Text = string(raw)
	default:
		err = d.extra()
	}
	return err
}

func (d *requestDecoder) resultMember(p *llm.Part, name string) (err error) {
	if d.Null() {
		return nil
	}
	switch name {
	case "id":
		p.ID, err = d.String()
	case "name":
		p.Name, err = d.String()
	case "response":
		var text llm.Part
		text, p.IsError, err = d.result()
		p.Parts = append([]llm.Part{text}, p.Parts...)
	case "parts":
		var media []llm.Part
		media, err = d.parts()
		p.Parts = append(p.Parts, media...)
	default:
		err = d.extra()
	}
	return err
}

// result reads what a tool returned. Tools elsewhere return text: an object
// with nothing but a text in output, result or error is that text, another
// object is its JSON.
func (d *requestDecoder) result() (p llm.Part, isError bool, err error) {
	if d.Kind() != jsonx.Object {
		return p, false, d.Want(jsonx.Object)
	}
	start, members, key := d.Offset(), 0, ""
	var inner llm.Part
	err = d.Map(func(name []byte) error {
		members++
		key = string(name)
		if d.Kind() != jsonx.String {
			inner.At = llm.Span{}
			_, err := d.Skip()
			return err
		}
		inner.At.Start = d.Offset()
		var err error
		inner.Text, err = d.String()
		inner.At.End = d.Offset()
		return err
	})
	isError = members == 1 && key == "error"
	if members == 1 && !inner.At.Empty() && (isError || key == "output" || key == "result") {
		return inner, isError, err
	}
	return llm.Part{Text: string(d.body[start:d.Offset()])}, isError, err
}

// joinThoughts makes one part of reasoning that came in pieces; its signature
// comes with the last.
func joinThoughts(parts []llm.Part) []llm.Part {
	out := parts[:0]
	for _, p := range parts {
		if n := len(out); n > 0 && p.Kind == llm.PartReasoning && out[n-1].Kind == p.Kind && out[n-1].Signature == "" {
			last := &out[n-1]
			last.Text += p.Text
			last.Signature, last.At = p.Signature, llm.Span{}
			continue
		}
		out = append(out, p)
	}
	return out
}

// pair gives ids to calls and results that have none, so that each result has
// that of the first call of its name that waits for one. The ids are the same
// whenever the conversation begins the same.
func (d *requestDecoder) pair() error {
	type call struct{ id, name string }
	var open []call
	made := 0
	for i := range d.req.Messages {
		for j := range d.req.Messages[i].Parts {
			p := &d.req.Messages[i].Parts[j]
			switch p.Kind {
			case llm.PartToolCall:
				if p.ID == "" {
					made++
					p.ID = "call_" + strconv.Itoa(made)
				}
				open = append(open, call{p.ID, p.Name})
			case llm.PartToolResult:
				for k, c := range open {
					if p.ID == c.id || p.ID == "" && p.Name == c.name {
						p.ID = c.id
						open = append(open[:k], open[k+1:]...)
						break
					}
				}
				if p.ID == "" {
					return llm.Invalid("contents["+strconv.Itoa(i)+"]", "holds a functionResponse for which there is no functionCall")
				}
			}
		}
	}
	return nil
}
