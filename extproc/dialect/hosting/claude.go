package hosting

import (
	"bytes"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// rawPredict is Anthropic's Messages API as Vertex AI has it: the model is in
// the path, the version of the API in the body, the betas stay in their header.
//
// Sources: Anthropic's page on Claude on Vertex AI; anthropic-sdk-go v1.84.0,
// package vertex; recorded traffic.
type rawPredict struct {
	dialect.ProviderSide
	root string
}

const vertexVersion = `"vertex-2023-10-16"`

func (d *rawPredict) EncodeRequest(r *llm.Request, t dialect.Target) (*dialect.Wire, error) {
	if err := refuseLinks(r, "Vertex AI"); err != nil {
		return nil, err
	}
	w, err := d.ProviderSide.EncodeRequest(r, t)
	if err != nil {
		return nil, err
	}
	body, err := parse(w.Body)
	if err != nil {
		return nil, err
	}
	p := body.Patch()
	p.Set("anthropic_version", []byte(vertexVersion))
	if betas := takeBetas(w, vertexBetas); len(betas) > 0 {
		w.Header = append(w.Header, llm.Header{Name: betaHeader, Value: strings.Join(betas, ",")})
	}
	switch {
	case r.Op == llm.OpCountTokens: // the one call that has the model in the body
		w.Path = d.root + modelPath("anthropic", "count-tokens") + ":rawPredict"
	case r.Stream:
		p.Remove("model")
		w.Path = d.root + modelPath("anthropic", t.Model) + ":streamRawPredict"
	default:
		p.Remove("model")
		w.Path = d.root + modelPath("anthropic", t.Model) + ":rawPredict"
	}
	w.Body = p.Bytes()
	return w, nil
}

// DecodeError reads Anthropic's errors and those of Google's front end, which
// puts an error of a stream into a list.
func (d *rawPredict) DecodeError(status int, head []llm.Header, body []byte) *llm.Error {
	if one, ok := bytes.CutPrefix(bytes.TrimSpace(body), []byte("[")); ok {
		body = bytes.TrimSuffix(one, []byte("]"))
	}
	return d.ProviderSide.DecodeError(status, head, body)
}
