package hosting

import (
	"strconv"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// predicted reports whether a model of embeddings is called by predict. Newer
// ones have a call of their own. The rule is that of the official SDK.
func predicted(model string) bool {
	return model == "gemini-embedding-001" || !strings.Contains(model, "gemini") && !strings.Contains(model, "maas")
}

// embedding writes a request for embeddings as Vertex wants it and returns the
// call. The dialect has written one for a text, or a list of such requests.
func embedding(w *dialect.Wire, method, model string) (string, error) {
	body, err := parse(w.Body)
	if err != nil {
		return "", err
	}
	if predicted(model) {
		p := predictEncoder{dst: []byte(`{"instances":[`)}
		if err := p.requests(body); err != nil {
			return "", err
		}
		w.Body = p.body()
		return "predict", nil
	}
	if method != "embedContent" {
		return "", llm.Unsupported("requests", "the model %s embeds one text in a request on Vertex AI", model)
	}
	p := body.Patch()
	p.Remove("model")
	w.Body = p.Bytes()
	return method, nil
}

// A predictEncoder writes the body of a predict for embeddings of texts.
type predictEncoder struct {
	dst        []byte
	n          int    // instances
	dimensions []byte // the same for all
}

func (p *predictEncoder) body() []byte {
	p.dst = append(p.dst, ']')
	if p.dimensions != nil {
		p.dst = append(append(append(p.dst, `,"parameters":{"outputDimensionality":`...), p.dimensions...), '}')
	}
	return append(p.dst, '}')
}

func (p *predictEncoder) requests(body *llm.Body) error {
	list := body.Member("requests")
	if list == nil {
		return p.instance(body)
	}
	in := jsonx.NewReader(list)
	return in.Array(func(int) error {
		raw, err := in.Raw()
		if err != nil {
			return err
		}
		one, err := parse(raw)
		if err != nil {
			return err
		}
		return p.instance(one)
	})
}

// instance writes one text and what it is for.
func (p *predictEncoder) instance(one *llm.Body) error {
	if one.Member("content") == nil {
		return llm.Invalid("content", "is missing")
	}
	text, err := textOf(one.Member("content"))
	if err != nil {
		return err
	}
	if p.n++; p.n > 1 {
		p.dst = append(p.dst, ',')
	}
	p.dst = jsonx.AppendString(append(p.dst, `{"content":`...), text)
	for _, m := range one.Members {
		value := one.Raw[m.Value.Start:m.Value.End]
		switch m.Name {
		case "model", "content":
		case "taskType", "task_type":
			p.dst = append(append(p.dst, `,"task_type":`...), value...)
		case "title":
			p.dst = append(append(p.dst, `,"title":`...), value...)
		case "outputDimensionality", "output_dimensionality":
			if p.n > 1 && string(p.dimensions) != string(value) {
				return llm.Unsupported("requests["+strconv.Itoa(p.n-1)+"]."+m.Name, "Vertex AI has one for all texts of a request")
			}
			p.dimensions = value
		default:
			return llm.Unsupported(m.Name, "Vertex AI does not know it for this model")
		}
	}
	p.dst = append(p.dst, '}')
	return nil
}

// textOf joins the texts of a content. Media are for other models.
func textOf(content []byte) (text string, err error) {
	in := jsonx.NewReader(content)
	err = in.Object(func(name []byte) error {
		if string(name) != "parts" {
			_, err := in.Skip()
			return err
		}
		return in.Array(func(int) error {
			return in.Object(func(name []byte) error {
				if string(name) != "text" {
					return llm.Unsupported("content."+in.Path(), "this model embeds texts alone")
				}
				s, err := in.String()
				text += s
				return err
			})
		})
	})
	return text, err
}

func (v *vertex) NewDecoder(op llm.Op, mediaType string, limit int) dialect.Decoder {
	d := v.ProviderSide.NewDecoder(op, mediaType, limit)
	if op == llm.OpEmbeddings {
		return &recast{Decoder: d, whole: dialect.Whole{Limit: limit}, cast: castPredictions}
	}
	return d
}

// castPredictions makes Gemini's answer of a predict's:
//
//	{"predictions":[{"embeddings":{"values":[…],"statistics":{"token_count":10}}}]}
func castPredictions(body []byte) ([]byte, bool) {
	p := predictions{out: append(make([]byte, 0, len(body)), `{"embeddings":[`...)}
	p.Reset(body)
	found := false
	err := p.Object(func(name []byte) error {
		if string(name) != "predictions" {
			_, err := p.Skip()
			return err
		}
		found = true
		return p.Array(func(int) error { return p.member("embeddings", p.embedding) })
	})
	if err != nil || !found {
		return nil, false
	}
	p.out = strconv.AppendInt(append(p.out, `],"usageMetadata":{"promptTokenCount":`...), p.tokens, 10)
	return append(p.out, "}}"...), true
}

// predictions reads the answer to a predict and writes Gemini's.
type predictions struct {
	jsonx.Reader
	out    []byte
	n      int // vectors
	tokens int64
}

// member reads one member of the object that comes next and skips the others.
func (p *predictions) member(want string, read func() error) error {
	return p.Object(func(name []byte) error {
		if string(name) == want {
			return read()
		}
		_, err := p.Skip()
		return err
	})
}

func (p *predictions) embedding() error {
	return p.Object(func(name []byte) error {
		switch string(name) {
		case "values":
			raw, err := p.Raw()
			if p.n++; p.n > 1 {
				p.out = append(p.out, ',')
			}
			p.out = append(append(append(p.out, `{"values":`...), raw...), '}')
			return err
		case "statistics":
			return p.member("token_count", func() error {
				n, err := p.Float()
				p.tokens += int64(n)
				return err
			})
		}
		_, err := p.Skip()
		return err
	})
}
