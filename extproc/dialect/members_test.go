package dialect_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A published is what a published description says of a value: one of JSON
// Schema, of Amazon's shapes, or of protocol buffers.
type published struct {
	object   map[string]*published // members; nil: none are known
	required []string
	list     *published
	either   []*published
	scalar   any // a value of its kind
}

// A walker makes requests that each have one member more than another.
type walker struct{ most int } // nesting

// A variant is a value with a member and without it.
type variant struct {
	path          string
	with, without any
	value         any // of the member
}

// least is a value with nothing but what it must have.
func (w walker) least(p *published, depth int) any {
	switch {
	case p == nil || depth > w.most+4:
		return "x"
	case len(p.either) > 0:
		return w.least(p.either[0], depth+1)
	case p.object != nil:
		o := map[string]any{}
		for _, name := range p.required {
			o[name] = w.least(p.object[name], depth+1)
		}
		return o
	case p.list != nil:
		return []any{w.least(p.list, depth+1)}
	}
	return p.scalar
}

// variants makes the values that each have one member more.
func (w walker) variants(p *published, path string, depth int) (out []variant) {
	switch {
	case p == nil || depth > w.most:
	case len(p.either) > 0:
		for _, e := range p.either {
			out = append(out, w.variants(e, path, depth+1)...)
		}
	case p.object != nil:
		least := w.least(p, depth).(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(p.object)) {
			member, at := p.object[name], strings.TrimPrefix(path+"."+name, ".")
			set := func(value any) map[string]any {
				o := maps.Clone(least)
				o[name] = value
				return o
			}
			if !slices.Contains(p.required, name) {
				forms := []*published{member}
				if member != nil && len(member.either) > 0 {
					forms = member.either
				}
				for _, f := range forms {
					value := w.least(f, depth+1)
					out = append(out, variant{at, set(value), least, value})
					if value == true {
						out = append(out, variant{at, set(false), least, false})
					}
				}
			}
			for _, v := range w.variants(member, at, depth+1) {
				out = append(out, variant{v.path, set(v.with), set(v.without), v.value})
			}
		}
	case p.list != nil:
		for _, v := range w.variants(p.list, path+"[]", depth+1) {
			out = append(out, variant{v.path, []any{v.with}, []any{v.without}, v.value})
		}
	}
	return out
}

// A description reads JSON Schemas.
type description struct {
	schemas map[string]map[string]any
	open    map[string]int // being read
}

func (d *description) read(s map[string]any) *published {
	if ref, ok := s["$ref"].(string); ok {
		name := ref[strings.LastIndexByte(ref, '/')+1:]
		if d.open[name] > 1 {
			return nil
		}
		d.open[name]++
		defer func() { d.open[name]-- }()
		return d.read(d.schemas[name])
	}
	if all, ok := s["allOf"].([]any); ok {
		whole := &published{object: map[string]*published{}}
		for _, one := range append(all, map[string]any{"properties": s["properties"], "required": s["required"]}) {
			if p := d.read(one.(map[string]any)); p != nil {
				for _, q := range append([]*published{p}, p.either...) {
					maps.Copy(whole.object, q.object)
					whole.required = append(whole.required, q.required...)
				}
			}
		}
		slices.Sort(whole.required)
		whole.required = slices.Compact(whole.required)
		return whole
	}
	for _, word := range []string{"anyOf", "oneOf"} {
		if list, ok := s[word].([]any); ok {
			p := &published{}
			for _, one := range list {
				m := one.(map[string]any)
				if m["type"] == "null" {
					continue
				}
				if q := d.read(m); q != nil {
					p.either = append(p.either, q)
				}
			}
			if len(p.either) == 0 {
				return nil
			}
			return p
		}
	}
	return d.plain(s)
}

func (d *description) plain(s map[string]any) *published {
	kind, _ := s["type"].(string)
	if kinds, ok := s["type"].([]any); ok && len(kinds) > 0 {
		kind, _ = kinds[0].(string)
	}
	if c, ok := s["const"]; ok {
		return &published{scalar: c}
	}
	if values, ok := s["enum"].([]any); ok && len(values) > 0 {
		return &published{scalar: values[len(values)-1]}
	}
	switch {
	case s["properties"] != nil:
		p := &published{object: map[string]*published{}}
		for name, member := range s["properties"].(map[string]any) {
			p.object[name] = d.read(member.(map[string]any))
		}
		if required, ok := s["required"].([]any); ok {
			for _, r := range required {
				if _, ok := p.object[r.(string)]; ok {
					p.required = append(p.required, r.(string))
				}
			}
		}
		return p
	case kind == "array":
		items, _ := s["items"].(map[string]any)
		return &published{list: d.read(items)}
	case kind == "object":
		return &published{scalar: map[string]any{"type": "object"}}
	case kind == "integer", kind == "number":
		n := 3.0
		if least, ok := s["minimum"].(float64); ok {
			n = max(n, least)
		}
		return &published{scalar: n}
	case kind == "boolean":
		return &published{scalar: true}
	}
	return &published{scalar: "eA=="} // which is base64 too
}

// describe reads a schema of an OpenAPI description.
func describe(t *testing.T, file, name string) *published {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(shared, "specs", file))
	if err != nil {
		t.Skip("no schemas")
	}
	var doc struct {
		Components struct{ Schemas map[string]map[string]any }
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	d := &description{schemas: doc.Components.Schemas, open: map[string]int{}}
	return d.read(d.schemas[name])
}

// describeShape reads one of Amazon's shapes.
func describeShape(s *service, name string, open map[string]int) *published {
	d := s.Shapes[name]
	if d == nil || open[name] > 1 {
		return nil
	}
	open[name]++
	defer func() { open[name]-- }()
	switch {
	case d.Document || d.Type == "map":
		return &published{scalar: map[string]any{"type": "object"}}
	case d.Type == "list":
		return &published{list: describeShape(s, d.Member.Shape, open)}
	case d.Type == "structure":
		p := &published{object: map[string]*published{}}
		for _, name := range slices.Sorted(maps.Keys(d.Members)) {
			if m := d.Members[name]; m.Location == "" {
				p.object[name] = describeShape(s, m.Shape, open)
			}
		}
		if d.Union {
			u := &published{}
			for _, name := range slices.Sorted(maps.Keys(p.object)) {
				u.either = append(u.either, &published{object: map[string]*published{name: p.object[name]}, required: []string{name}})
			}
			return u
		}
		for _, r := range d.Required {
			if p.object[r] != nil {
				p.required = append(p.required, r)
			}
		}
		return p
	case len(d.Enum) > 0:
		return &published{scalar: d.Enum[len(d.Enum)-1]}
	case d.Type == "boolean":
		return &published{scalar: true}
	case slices.Contains([]string{"integer", "long", "float", "double"}, d.Type):
		return &published{scalar: 1.0}
	}
	return &published{scalar: "eA=="}
}

// protos reads messages of protocol buffers.
type protos struct {
	messages map[string][]protoField
	enums    map[string]string
	open     map[string]int
}

type protoField struct {
	kind, name string
	repeated   bool
	required   bool
}

var (
	protoBlock = regexp.MustCompile(`(?m)^\s*(message|enum|oneof)\s+(\w+)\s*\{`)
	protoLine  = regexp.MustCompile(`^\s*(optional |repeated )?([\w.]+|map<[^>]+>)\s+(\w+)\s*=\s*(\d+)(.*)`)
)

func loadProtos(t *testing.T, files ...string) *protos {
	t.Helper()
	p := &protos{map[string][]protoField{}, map[string]string{}, map[string]int{}}
	for _, file := range files {
		raw, err := os.ReadFile(filepath.Join(shared, "specs/proto", file))
		if err != nil {
			t.Skip("no protocol buffers")
		}
		var open []string // "message X", "enum X", "oneof x"
		text := regexp.MustCompile(`//[^\n]*`).ReplaceAllString(string(raw), "")
		text = regexp.MustCompile(`\[[^\]]*\]`).ReplaceAllStringFunc(text, func(s string) string { // options, over several lines
			if strings.Contains(s, "= REQUIRED") {
				return "[REQUIRED]"
			}
			return ""
		})
		text = regexp.MustCompile(`=\s*\n\s*`).ReplaceAllString(text, "= ")
		for _, line := range strings.Split(text, "\n") {
			if m := protoBlock.FindStringSubmatch(line); m != nil {
				open = append(open, m[1]+" "+m[2])
			} else if strings.Contains(line, "{") && !strings.Contains(line, "}") {
				open = append(open, "")
			}
			in := ""
			for _, o := range open {
				if name, ok := strings.CutPrefix(o, "message "); ok {
					in = name
				}
			}
			if m := protoLine.FindStringSubmatch(line); m != nil && in != "" && len(open) > 0 {
				p.messages[in] = append(p.messages[in], protoField{m[2], m[3], m[1] == "repeated ", strings.Contains(m[5], "REQUIRED")})
			} else if f := strings.Fields(line); len(f) >= 3 && f[1] == "=" && len(open) > 0 && strings.HasPrefix(open[len(open)-1], "enum ") {
				p.enums[strings.TrimPrefix(open[len(open)-1], "enum ")] = f[0]
			}
			if strings.Contains(line, "}") && !strings.Contains(line, "{") && len(open) > 0 {
				open = open[:len(open)-1]
			}
		}
	}
	return p
}

func (p *protos) describe(kind string) *published {
	kind = kind[strings.LastIndexByte(kind, '.')+1:]
	switch {
	case p.enums[kind] != "":
		return &published{scalar: p.enums[kind]}
	case strings.HasPrefix(kind, "map<"), kind == "Struct", kind == "Value":
		return &published{scalar: map[string]any{"type": "object"}}
	case kind == "bool":
		return &published{scalar: true}
	case slices.Contains([]string{"int32", "int64", "float", "double"}, kind):
		return &published{scalar: 3.0}
	case kind == "Schema":
		return &published{scalar: map[string]any{"type": "STRING"}}
	case p.messages[kind] == nil:
		return &published{scalar: "eA=="}
	case p.open[kind] > 0:
		return nil
	}
	p.open[kind]++
	defer func() { p.open[kind]-- }()
	out := &published{object: map[string]*published{}}
	for _, f := range p.messages[kind] {
		name := camel(f.name)
		member := p.describe(f.kind)
		if f.repeated {
			member = &published{list: member}
		}
		if out.object[name] = member; f.required {
			out.required = append(out.required, name)
		}
	}
	return out
}

func camel(name string) string {
	words := strings.Split(name, "_")
	for i, w := range words[1:] {
		words[i+1] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}

// silent are members that say nothing which another format could lose, with the
// reason.
var silent = map[string]string{
	"model":                               "the target's is sent",
	"stream":                              "it is in the path",
	"system":                              "the first of the description's blocks is a mark, with nothing before it",
	"toolConfig":                          "the first of the description's tools is a mark, with nothing before it",
	"tools":                               "an empty tool",
	"contents[].parts":                    "an empty part",
	"systemInstruction.parts":             "an empty part",
	"systemInstruction.role":              "there is no other",
	"tools[].type":                        "it is what it would be without",
	"tools[].eager_input_streaming":       "streams are as eager as they can be",
	"input[].id":                          "items have no ids elsewhere",
	"input[].status":                      "what is sent back is complete",
	"input[].type":                        "it is what it would be without",
	"input[].content":                     "reasoning that the target does not take back, of which it is told",
	"input[].encrypted_content":           "reasoning that the target does not take back, of which it is told",
	"contents[].parts[].thoughtSignature": "a signature is for its own provider",
	"systemInstruction.parts[].thoughtSignature":            "a signature is for its own provider",
	"parallel_tool_calls":                                   "there are no tools",
	"tool_choice":                                           "there are no tools",
	"tool_choice.disable_parallel_tool_use":                 "there are no tools",
	"toolConfig.toolChoice":                                 "there are no tools",
	"toolConfig.functionCallingConfig.allowedFunctionNames": "there are no tools",
	"top_logprobs":                                          "probabilities were not asked for",
	"generationConfig.logprobs":                             "probabilities were not asked for",
	"truncation":                                            "the value that asks for nothing",
	"stream_options.include_usage":                          "usage is always asked for, and told if the client wants it",
	"stream_options.include_obfuscation":                    "concerns the answer alone",
	"reasoning.summary":                                     "how thoughts are shown, if there are any",
	"reasoning.generate_summary":                            "how thoughts are shown, if there are any",
	"thinking.display":                                      "how thoughts are shown, if there are any",
	"generationConfig.thinkingConfig.includeThoughts":       "how thoughts are shown, if there are any",
	"text.format.strict":                                    "structured output is always strict there",
	"contents[].parts[].fileData.mimeType":                  "told by what is fetched",
	"systemInstruction.parts[].fileData.mimeType":           "told by what is fetched",
	"messages[].content[].cachePoint.ttl":                   "told with the mark",
	"messages[].content[].cache_control.ttl":                "told with the mark",
	"system[].cachePoint.ttl":                               "told with the mark",
	"system[].cache_control.ttl":                            "told with the mark",
	"tools[].cache_control.ttl":                             "told with the mark",
	"toolConfig.tools[].cachePoint.ttl":                     "told with the mark",
}

// TestNoMemberIsLost walks the published description of each dialect's requests
// and asserts of each member that a request with it becomes another request
// than one without it, in every other dialect: an error, a warning, or other
// bytes. Warnings of members that no table names are counted as lost.
func TestNoMemberIsLost(t *testing.T) {
	google := loadProtos(t, "google/ai/generativelanguage/v1beta/generative_service.proto", "google/ai/generativelanguage/v1beta/content.proto", "google/ai/generativelanguage/v1beta/safety.proto").describe("GenerateContentRequest")
	for _, c := range []struct {
		from dialect.Dialect
		p    *published
		base string
		most int
	}{
		{openaiAPI, describe(t, "openai-openapi.json", "CreateChatCompletionRequest"), `{"model":"m","messages":[{"role":"user","content":"hi"}]}`, 9},
		{responsesAPI, describe(t, "openai-openapi.json", "CreateResponse"), `{"model":"m","input":[{"role":"user","content":"hi"}]}`, 9},
		{anthropicAPI, describe(t, "anthropic-openapi.json", "BetaCreateMessageParams"), `{"model":"m","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}`, 9},
		{geminiAPI, google, `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`, 9},
		{converse, describeShape(loadService(t), "ConverseRequest", map[string]int{}), `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`, 9},
	} {
		t.Run(c.from.Name(), func(t *testing.T) {
			var base map[string]any
			if err := json.Unmarshal([]byte(c.base), &base); err != nil {
				t.Fatal(err)
			}
			tried, unread := 0, 0
			lost, told := map[spot]string{}, map[spot]bool{}
			w := walker{c.most}
			for _, v := range w.variants(&published{object: c.p.object}, "", 0) {
				with, err1 := c.from.DecodeRequest(llm.OpChat, over(base, v.with))
				without, err2 := c.from.DecodeRequest(llm.OpChat, over(base, v.without))
				if err1 != nil || err2 != nil {
					unread++
					continue
				}
				if empty, _ := json.Marshal(v.value); string(empty) == "{}" || string(empty) == "[]" {
					continue // it says nothing
				}
				tried++
				bare, _ := json.Marshal(v.without)
				for _, to := range others(c.from.Name()) {
					at := spot{v.path, string(bare), to.Name()}
					a, b := outcome(to, with), outcome(to, without)
					switch {
					case b.err != nil, b.tells(v.path): // of the whole
						told[at] = true
					case a.same(b):
						lost[at] = "lost"
					case a.unlisted() && !b.unlisted():
						lost[at], told[at] = "in no table", false
					default:
						told[at] = true
					}
				}
			}
			t.Logf("%d members tried, %d requests that are none", tried, unread)
			found := map[string]bool{}
			for at, how := range lost {
				if !told[at] && silent[at.path] == "" {
					found[at.path+" to "+at.to+": "+how] = true
				}
			}
			for _, line := range slices.Sorted(maps.Keys(found)) {
				t.Error(line)
			}
		})
	}
}

// A spot is where a member is tried: its path, the request without it, and the
// target. One value that makes a difference is enough.
type spot struct{ path, without, to string }

// over is a body with the members of another put over it.
func over(base map[string]any, members any) []byte {
	o := maps.Clone(base)
	maps.Copy(o, members.(map[string]any))
	raw, _ := json.Marshal(o)
	return raw
}

// An end is what becomes of a request.
type end struct {
	err      error
	body     []byte
	warnings []string
}

func outcome(to dialect.Dialect, r *llm.Request) end {
	q := *r
	q.Messages = slices.Clone(r.Messages)
	w, err := to.EncodeRequest(&q, dialect.Target{Model: "anthropic.m", Rules: everything})
	if err != nil {
		return end{err: err}
	}
	return end{body: w.Body, warnings: w.Warnings}
}

func (e end) same(f end) bool {
	return e.err == nil && bytes.Equal(e.body, f.body) && slices.Equal(e.warnings, f.warnings)
}

// unlisted reports whether something was left out that no table names.
func (e end) unlisted() bool {
	return slices.ContainsFunc(e.warnings, func(w string) bool { return strings.Contains(w, "does not know it") })
}

// tells reports whether there is a warning of the object that holds a member.
func (e end) tells(path string) bool {
	return slices.ContainsFunc(e.warnings, func(w string) bool {
		member, _, _ := strings.Cut(w, ": ")
		member = regexp.MustCompile(`\[\d+\]`).ReplaceAllString(member, "[]")
		return strings.HasPrefix(path, member+".") || strings.HasPrefix(path, member+"[")
	})
}
