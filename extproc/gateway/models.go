package gateway

import (
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// listModels answers GET /v1/models and /v1/models/ID in the client's format:
// the names under models, then the providers' own that have no pattern in them.
func (x *Exchange) listModels() *llm.Answer {
	names := x.gw.listed(&x.caller)
	p, _, _ := strings.Cut(strings.TrimSuffix(x.head.Path, "/"), "?")
	_, id, one := strings.Cut(p, "/models/")
	var body []byte
	if one {
		if name, err := url.PathUnescape(id); err == nil { // SDKs escape the slash in provider/model
			id = name
		}
		for _, name := range names {
			if name == id {
				body = appendModel(nil, name, x.front.dialect)
			}
		}
		if body == nil {
			return x.refuse(&llm.Error{Status: 404, Code: llm.CodeModelNotFound, Message: "no such model"})
		}
	} else {
		body = modelList(names, x.front.dialect)
	}
	x.record.Status = 200
	return &llm.Answer{Status: 200, Type: "application/json", Header: x.ownHeaders(), Body: body}
}

// listed returns the models that a caller can ask for by name.
func (g *Gateway) listed(c *Caller) (names []string) {
	add := func(name string) {
		if c.Models == nil || c.allows(name) {
			names = append(names, name)
		}
	}
	for _, name := range g.names {
		add(name)
	}
	for _, p := range g.ordered {
		for _, m := range p.Models {
			if !strings.ContainsAny(m, `*?[\`) {
				add(path.Join(p.Name, m))
			}
		}
	}
	return names
}

func modelList(names []string, dialect string) []byte {
	b := []byte(`{"object":"list","data":[`)
	if dialect == llm.Anthropic {
		b = []byte(`{"data":[`)
	}
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendModel(b, name, dialect)
	}
	if dialect != llm.Anthropic {
		return append(b, "]}"...)
	}
	b = append(b, `],"has_more":false,"first_id":`...)
	if len(names) == 0 {
		return append(b, `null,"last_id":null}`...)
	}
	b = jsonx.AppendString(b, names[0])
	b = append(b, `,"last_id":`...)
	return append(jsonx.AppendString(b, names[len(names)-1]), '}')
}

// created is what both formats demand and nobody can know of a name.
var created = time.Unix(0, 0).UTC()

func appendModel(b []byte, name, dialect string) []byte {
	if dialect == llm.Anthropic {
		b = jsonx.AppendString(append(b, `{"type":"model","id":`...), name)
		b = jsonx.AppendString(append(b, `,"display_name":`...), name)
		b = append(b, `,"lifecycle":"active","created_at":"`...)
		return append(created.AppendFormat(b, time.RFC3339), `"}`...)
	}
	b = jsonx.AppendString(append(b, `{"object":"model","id":`...), name)
	return append(b, `,"created":0,"owned_by":"attache"}`...)
}
