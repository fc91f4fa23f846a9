package hosting

import (
	"net/url"
	"slices"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// root is where the paths of a project's region begin on Vertex AI.
func (h Hosting) root() string {
	version := h.APIVersion
	if version == "" {
		version = "v1"
	}
	return "/" + version + "/projects/" + url.PathEscape(h.Project) + "/locations/" + url.PathEscape(h.Region)
}

// vertex is the Gemini API as Vertex AI has it: other paths, a few members
// less, and for older models of embeddings another call.
//
// Sources: the discovery document of aiplatform v1, revision 20261028; the
// differences that the official SDK google-genai makes.
type vertex struct {
	dialect.ProviderSide
	root string
}

func (v *vertex) EncodeRequest(r *llm.Request, t dialect.Target) (*dialect.Wire, error) {
	w, err := v.ProviderSide.EncodeRequest(r, t)
	if err != nil {
		return nil, err
	}
	method := w.Path[strings.LastIndexByte(w.Path, ':')+1:]
	switch r.Op {
	case llm.OpEmbeddings:
		method, err = embedding(w, method, t.Model)
	case llm.OpCountTokens:
		err = counting(w)
	default:
		err = generation(w)
	}
	if err != nil {
		return nil, err
	}
	w.Path = v.root + modelPath("google", t.Model) + ":" + method
	return w, nil
}

// modelPath is where a model is called: that of a publisher, which its name may
// say, as in meta/llama-4-maverick, or an endpoint of the project.
func modelPath(publisher, model string) string {
	if id, ok := strings.CutPrefix(model, "endpoints/"); ok {
		return "/endpoints/" + url.PathEscape(id)
	}
	if own, name, ok := strings.Cut(model, "/"); ok {
		publisher, model = own, name
	}
	return "/publishers/" + url.PathEscape(publisher) + "/models/" + url.PathEscape(model)
}

// foreign are the members of a request that only Google's other API knows, and
// that change nothing in the answer. What does, such as a tool, Vertex refuses in
// its own words.
var foreign = [...]string{"serviceTier", "service_tier", "store"}

// generation takes out what Vertex would refuse, and says whose turn each is,
// which it demands.
func generation(w *dialect.Wire) error {
	body, err := parse(w.Body)
	if err != nil {
		return err
	}
	p := body.Patch(roles(body)...)
	p.Remove("model") // is in the path
	for _, name := range foreign {
		if body.Member(name) != nil {
			p.Remove(name)
			w.Warnings = append(w.Warnings, name+": left out: Vertex AI does not know it")
		}
	}
	w.Body = p.Bytes()
	return nil
}

// roles returns the edits that give the user's role to the contents without one.
func roles(body *llm.Body) (edits []llm.Edit) {
	base := 0
	for _, m := range body.Members {
		if m.Name == "contents" {
			base = m.Value.Start
		}
	}
	in := jsonx.NewReader(body.Member("contents"))
	_ = in.Array(func(int) error { // what is no list of objects is not ours to mend
		in.Kind() // skips white space
		start := base + in.Offset() + 1
		members, err := in.Members(func([]byte) error { _, err := in.Skip(); return err })
		if len(members) > 0 && !slices.ContainsFunc(members, func(m llm.Member) bool { return m.Name == "role" }) {
			edits = append(edits, llm.Edit{At: llm.Span{Start: start, End: start}, New: []byte(`"role":"user",`)})
		}
		return err
	})
	return edits
}

// countable are the members of a request whose tokens Vertex counts.
var countable = []string{"contents", "tools", "systemInstruction", "system_instruction", "generationConfig", "generation_config"}

// counting unpacks a question about tokens that holds a whole request.
func counting(w *dialect.Wire) error {
	body, err := parse(w.Body)
	if err != nil {
		return err
	}
	for _, name := range [...]string{"generateContentRequest", "generate_content_request"} {
		if inner := body.Member(name); inner != nil {
			if body, err = parse(inner); err != nil {
				return err
			}
		}
	}
	p := body.Patch(roles(body)...)
	for _, m := range body.Members {
		if !slices.Contains(countable, m.Name) {
			p.Remove(m.Name)
		}
	}
	w.Body = p.Bytes()
	return nil
}
