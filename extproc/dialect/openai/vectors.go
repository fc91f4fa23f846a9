package openai

import (
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/fault"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// vectors writes the answer to a request for embeddings.
type vectors struct {
	head
	packed bool   // the client wants base64
	items  []byte // elements of data
	usage  llm.Usage
	over   bool
}

// MediaType is the content-type of what is written.
func (v *vectors) MediaType() string { return "application/json" }

// Encode collects the vectors and writes the answer when they end.
func (v *vectors) Encode(dst []byte, events []llm.Event) ([]byte, error) {
	for i := range events {
		e := &events[i]
		switch {
		case v.over:
		case e.Kind == llm.EventStart && e.Model != "":
			v.model = e.Model
		case e.Kind == llm.EventVector:
			v.items = append(comma(v.items), `{"object":"embedding","index":`...)
			v.items = strconv.AppendInt(v.items, int64(e.Choice), 10)
			v.items = append(v.items, `,"embedding":`...)
			v.items = append(dialect.AppendVector(v.items, e.Text, v.packed), '}')
		case e.Kind == llm.EventUsage:
			v.usage = e.Usage
		case e.Kind == llm.EventError:
			v.over = true
			dst = fault.Append(dst, e.Err)
		case e.Kind == llm.EventEnd:
			v.over = true
			dst = v.write(dst)
		}
	}
	return dst, nil
}

func (v *vectors) write(dst []byte) []byte {
	dst = append(dst, `{"object":"list","data":[`...)
	dst = append(append(dst, v.items...), `],"model":`...)
	dst = jsonx.AppendString(dst, v.model)
	dst = append(dst, `,"usage":{"prompt_tokens":`...)
	dst = strconv.AppendInt(dst, v.usage.Input, 10)
	dst = append(dst, `,"total_tokens":`...)
	dst = strconv.AppendInt(dst, v.usage.Total(), 10)
	return append(dst, "}}"...)
}
