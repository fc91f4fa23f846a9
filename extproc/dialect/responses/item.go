package responses

import (
	"bytes"
	"cmp"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// item is what is known of one item of the output.
type item struct {
	index int64 // in the output
	id    string
	call  int  // ordinal of a function call
	begun bool // EventToolStart is out
	done  bool
	said  []part // of which text was said
	from  []int  // where the text of each begins, in characters
	cited int    // sources that were told

	probable bool // probabilities were told
}

// part is a place of text in an item.
type part struct {
	kind    llm.Kind
	summary bool // of reasoning, rather than its content
	index   int64
}

// Bounds of one response.
const (
	maxItems = 4096
	maxParts = 4096 // of one item
)

// note notes that text of a part was said behind so many characters, and reports
// whether it is the first.
func (it *item) note(p part, chars int) bool {
	for i := len(it.said) - 1; i >= 0; i-- {
		if it.said[i] == p {
			return false
		}
	}
	if len(it.said) < maxParts {
		it.said, it.from = append(it.said, p), append(it.from, chars)
	}
	return true
}

// start is where the text of a part begins.
func (it *item) start(index int64) int {
	for i, p := range it.said {
		if p.kind == llm.EventText && p.index == index {
			return it.from[i]
		}
	}
	return 0
}

// at finds the item of an index of the output, or begins it.
func (a *answer) at(index int64) (*item, error) {
	for i := len(a.items) - 1; i >= 0; i-- {
		if a.items[i].index == index {
			return a.items[i], nil
		}
	}
	if len(a.items) == maxItems {
		return nil, a.in.Fail("has too many items")
	}
	it := &item{index: index}
	a.items = append(a.items, it)
	return it, nil
}

// content is what an item says, as a whole.
type content struct {
	kind, id, callID, name, args, encrypted string
	texts                                   []textPart
	raw                                     []byte // of a kind that has no canonical form
}

type textPart struct {
	part
	text     string
	sources  []llm.Event
	logprobs []llm.Logprob
}

// canonical are the kinds of items that have a canonical form.
var canonical = map[string]bool{"message": true, "reasoning": true, "function_call": true}

// readItem reads an item, whose members come in any order.
func (a *answer) readItem() (c content, err error) {
	if c.kind = string(a.in.Tag("type")); !canonical[c.kind] {
		c.id = string(a.in.Tag("id"))
		c.raw, err = a.in.Raw()
		return c, err
	}
	err = a.in.Object(func(name []byte) error {
		switch string(name) {
		case "id":
			return keep(a.in, &c.id)
		case "call_id":
			return keep(a.in, &c.callID)
		case "name":
			return keep(a.in, &c.name)
		case "arguments":
			return keep(a.in, &c.args)
		case "encrypted_content":
			return keep(a.in, &c.encrypted)
		case "content", "summary":
			if a.in.Kind() == jsonx.Array {
				return a.readParts(&c, string(name) == "summary")
			}
		}
		return a.skip(nil)
	})
	return c, err
}

func (a *answer) readParts(c *content, summary bool) error {
	if len(c.texts) > maxParts {
		return a.in.Fail("has too many parts")
	}
	return a.in.Array(func(i int) error {
		if a.in.Kind() != jsonx.Object {
			return a.skip(nil)
		}
		p := textPart{part: part{index: int64(i), summary: summary}}
		if c.kind == "reasoning" {
			p.kind = llm.EventReasoning
		} else {
			p.kind = llm.EventText
		}
		err := a.in.Object(func(name []byte) (err error) {
			switch string(name) {
			case "text":
				return keep(a.in, &p.text)
			case "refusal":
				p.kind = llm.EventRefusal
				return keep(a.in, &p.text)
			case "annotations":
				if a.in.Kind() == jsonx.Array {
					return a.in.Array(func(int) error { return a.source(&p.sources) })
				}
			case "logprobs":
				if a.in.Kind() == jsonx.Array {
					p.logprobs, err = dialect.ReadLogprobs(a.in, nil)
					return err
				}
			}
			return a.skip(nil)
		})
		c.texts = append(c.texts, p)
		return err
	})
}

// outputItem reads an item of a complete output. In a stream it has been said
// as a rule; some providers leave that to the output, others leave it empty.
func (a *answer) outputItem(i int) error {
	if a.in.Kind() != jsonx.Object {
		return a.skip(nil)
	}
	c, err := a.readItem()
	if err != nil {
		return err
	}
	it := a.known(c.id)
	if it == nil && a.streamed {
		return nil
	}
	if it == nil {
		if it, err = a.at(int64(i)); err != nil {
			return err
		}
	}
	a.finishItem(it, &c)
	return nil
}

func (a *answer) known(id string) *item {
	for _, it := range a.items {
		if id != "" && it.id == id {
			return it
		}
	}
	return nil
}

// startItem says that an item begins.
func (a *answer) startItem(it *item, c *content) {
	if it.id == "" {
		it.id = c.id
	}
	if c.kind != "function_call" || it.begun || c.name == "" {
		return
	}
	it.begun, it.call = true, a.calls
	a.calls++
	a.close()
	if c.callID == "" {
		c.callID = c.id
	}
	a.emit(llm.Event{Kind: llm.EventToolStart, Tool: it.call, ID: c.callID, Name: c.name})
}

// finishItem says what is still to be said of an item.
func (a *answer) finishItem(it *item, c *content) {
	if it.done {
		return
	}
	a.startItem(it, c)
	it.done = true
	switch c.kind {
	case "message", "reasoning":
		n := 0
		for _, p := range c.texts {
			a.say(it, p.part, p.text, true)
			for _, e := range p.sources {
				if n++; n > it.cited {
					a.cite(it, p.index, e)
				}
			}
			if len(p.logprobs) > 0 && !it.probable {
				a.emit(llm.Event{Kind: llm.EventLogprobs, Logprobs: &llm.Logprobs{Tokens: p.logprobs}})
			}
		}
	case "function_call":
		if it.begun {
			a.say(it, part{kind: llm.EventToolArgs}, c.args, true)
		}
	default:
		e := llm.Event{Kind: llm.EventOther, Text: c.kind, Raw: &llm.Raw{Dialect: llm.Responses, JSON: bytes.Clone(c.raw)}}
		if in := jsonx.NewReader(c.raw); c.kind == "image_generation_call" && len(in.Tag("result")) > 0 {
			format := cmp.Or(string(in.Tag("output_format")), "png")
			e.Kind, e.Media = llm.EventMedia, &llm.Media{Type: "image/" + format, Data: string(in.Tag("result"))}
		}
		a.emit(e)
	}
	if c.kind == "reasoning" && c.encrypted != "" {
		if a.block.item != it {
			a.close()
		}
		a.block = block{item: it}
		a.emit(signature(c.encrypted))
	}
	if a.block.item == it {
		a.close()
	}
}

// signature is what the encrypted content of reasoning says. It is sealed if
// the provider is a gateway like this one.
func signature(encrypted string) llm.Event {
	owner, own := dialect.Unseal(llm.Responses, encrypted)
	if owner == redacted {
		return llm.Event{Kind: llm.EventRedacted, Text: own}
	}
	return llm.Event{Kind: llm.EventSignature, Text: dialect.Seal(llm.Anthropic, owner, own)}
}
