package gateway

import (
	"cmp"
	"regexp"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// toolNames are the tools that a request offers to the model: the client's own
// by their names, those that others run by their types, without the date of a
// version. A rule that has a list of tools must see all.
func toolNames(r *llm.Request) (names []string) {
	for i := range r.Tools {
		t := &r.Tools[i]
		switch t.Type {
		case "":
			names = append(names, t.Name)
		case "custom": // Chat Completions has the name one level below
			names = append(names, cmp.Or(t.Name, string(tagIn(t.Raw, "custom", "name")), t.Type))
		case "systemTool": // Bedrock's, whose type says nothing
			names = append(names, cmp.Or(t.Name, t.Type))
		case "namespace": // several tools under one name
			names = append(append(names, t.Type), toolsIn(t.Raw)...)
		default:
			names = append(names, kindOf(t.Type, r.Dialect))
		}
	}
	if r.Op == llm.OpForward {
		names = toolsIn(r.Body.Raw)
	}
	for _, b := range besideTools[r.Dialect] {
		if v := r.Body.Member(b.member); v != nil && string(v) != "null" {
			names = append(names, b.names(v)...)
		}
	}
	return names
}

// besideTools are the members that offer tools besides the list of tools, and
// what reads the names in their values.
var besideTools = map[string][]struct {
	member string
	names  func(value []byte) []string
}{
	llm.OpenAI: {
		{"functions", func(v []byte) []string { return each(v, "name", "function") }},
		{"web_search_options", func([]byte) []string { return []string{"web_search"} }},
		{"search_parameters", func([]byte) []string { return []string{"web_search"} }}, // xAI
		{"plugins", func(v []byte) []string { return each(v, "id", "plugin") }},        // OpenRouter
	},
	llm.Anthropic: {{"mcp_servers", func(v []byte) []string { return each(v, "", "mcp") }}},
	llm.Bedrock:   {{"additionalModelRequestFields", toolsIn}},
}

// each returns a member of each object in an array, or what stands for it.
func each(array []byte, member, otherwise string) (names []string) {
	in := jsonx.NewReader(array)
	_ = in.Array(func(int) error { // the dialect has read it
		names = append(names, cmp.Or(string(in.Tag(member)), otherwise))
		_, err := in.Skip()
		return err
	})
	return names
}

// toolsIn returns the names of the tools in the member tools of an object.
func toolsIn(object []byte) (names []string) {
	in := jsonx.NewReader(object)
	_ = in.Map(func(name []byte) error { // the dialect has read it
		if string(name) != "tools" || in.Kind() != jsonx.Array {
			_, err := in.Skip()
			return err
		}
		return in.Array(func(int) error {
			kind := string(in.Tag("type"))
			if kind == "function" || kind == "custom" {
				kind = ""
			}
			names = append(names, cmp.Or(undated(kind), string(in.Tag("name")), "function"))
			_, err := in.Skip()
			return err
		})
	})
	return names
}

// tagIn returns a string in a member of an object.
func tagIn(object []byte, member, tag string) (s []byte) {
	in := jsonx.NewReader(object)
	_ = in.Map(func(name []byte) error { // the dialect has read it
		if string(name) == member {
			s = in.Tag(tag)
		}
		_, err := in.Skip()
		return err
	})
	return s
}

// versionDate is how the types of tools end: web_search_20250305,
// web_search_preview_2025_03_11.
var versionDate = regexp.MustCompile(`_20\d\d_?\d\d_?\d\d$`)

func undated(kind string) string { return versionDate.ReplaceAllString(kind, "") }

// kindOf is the type of a tool in one spelling: Gemini takes google_search for
// googleSearch.
func kindOf(kind, dialect string) string {
	if dialect != llm.Gemini {
		return undated(kind)
	}
	words := strings.Split(kind, "_")
	for i, w := range words[1:] {
		if w != "" {
			words[i+1] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}
