package openai

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/fault"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// completion writes a unary answer.
type completion struct {
	head
	begun   bool
	choices []*reply
	usage   llm.Usage
	counted bool
	over    bool
}

// reply is one choice while it comes in.
type reply struct {
	index    int
	text     []byte
	refusal  []byte
	thoughts []byte
	block    int    // where in thoughts the open block begins
	blocks   []byte // elements of thinking_blocks
	calls    []replyCall
	extras   []extra // members beside text and calls
	logprobs []byte  // elements of the list
	reason   llm.FinishReason
}

// extra is a member of a message; a list has its elements without the brackets.
type extra struct {
	name  string
	value []byte
}

// more adds a member, or an element to one that is a list.
func (r *reply) more(name string, value []byte) {
	for i := range r.extras {
		if x := &r.extras[i]; x.name == name {
			if strings.HasSuffix(name, "[]") {
				x.value = append(append(x.value, ','), value...)
			}
			return
		}
	}
	r.extras = append(r.extras, extra{name, slices.Clone(value)})
}

type replyCall struct {
	id, name  string
	args      []byte
	signature string
}

// MediaType is the content-type of what is written.
func (c *completion) MediaType() string { return "application/json" }

// Encode collects the events and writes the answer when they end.
func (c *completion) Encode(dst []byte, events []llm.Event) ([]byte, error) {
	for i := range events {
		e := &events[i]
		switch {
		case c.over:
		case e.Kind == llm.EventStart:
			c.begun = true
			c.set(e)
		case e.Kind == llm.EventUsage:
			c.usage, c.counted = e.Usage, true
		case e.Kind == llm.EventError:
			c.over = true
			dst = fault.Append(dst, e.Err)
		case e.Kind == llm.EventEnd:
			c.over = true
			dst = c.write(dst)
		case e.Kind == llm.EventCitation, e.Kind == llm.EventMedia, e.Kind == llm.EventOther:
			if name, value, ok := c.extra(e); ok {
				c.choice(e.Choice).more(name, value)
			}
		case e.Kind != llm.EventPing:
			c.choice(e.Choice).add(e)
		}
	}
	return dst, nil
}

func (c *completion) choice(index int) *reply {
	for _, r := range c.choices {
		if r.index == index {
			return r
		}
	}
	r := &reply{index: index}
	c.choices = append(c.choices, r)
	return r
}

func (r *reply) add(e *llm.Event) {
	switch e.Kind {
	case llm.EventText:
		r.text = append(r.text, e.Text...)
	case llm.EventRefusal:
		r.refusal = append(r.refusal, e.Text...)
	case llm.EventReasoning:
		r.thoughts = append(r.thoughts, e.Text...)
		return // the block stays open
	case llm.EventSignature:
		r.blocks = appendThinking(comma(r.blocks), string(r.thoughts[r.block:]), e.Text)
	case llm.EventRedacted:
		r.blocks = appendRedacted(comma(r.blocks), e.Text)
	case llm.EventToolStart:
		for len(r.calls) <= e.Tool {
			r.calls = append(r.calls, replyCall{})
		}
		r.calls[e.Tool] = replyCall{id: e.ID, name: e.Name, signature: e.Signature}
	case llm.EventToolArgs:
		if e.Tool < len(r.calls) {
			r.calls[e.Tool].args = append(r.calls[e.Tool].args, e.Text...)
		}
	case llm.EventLogprobs:
		r.logprobs = dialect.AppendLogprobs(comma(r.logprobs), e.Logprobs.Tokens)
		return
	case llm.EventFinish:
		r.reason = e.Reason
	}
	r.block = len(r.thoughts)
}

func comma(list []byte) []byte {
	if len(list) > 0 {
		return append(list, ',')
	}
	return list
}

func (c *completion) write(dst []byte) []byte {
	if !c.begun {
		c.set(&llm.Event{})
	}
	c.choice(0) // an answer without choices is no answer
	slices.SortFunc(c.choices, func(a, b *reply) int { return cmp.Compare(a.index, b.index) })
	dst = c.append(dst, "chat.completion")
	dst = append(dst, `,"choices":[`...)
	for i, r := range c.choices {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = r.append(dst)
	}
	dst = append(dst, ']')
	if c.counted {
		dst = appendUsage(append(dst, `,"usage":`...), &c.usage)
	}
	return append(dst, '}')
}

func (r *reply) append(dst []byte) []byte {
	dst = append(dst, `{"index":`...)
	dst = strconv.AppendInt(dst, int64(r.index), 10)
	dst = append(dst, `,"message":{"role":"assistant","content":`...)
	if len(r.text) == 0 && (len(r.calls) > 0 || len(r.refusal) > 0) {
		dst = append(dst, "null"...)
	} else {
		dst = jsonx.AppendString(dst, string(r.text))
	}
	dst = append(dst, `,"refusal":`...)
	dst = jsonx.AppendOrNull(dst, string(r.refusal))
	if len(r.thoughts) > 0 {
		dst = append(dst, `,"reasoning_content":`...)
		dst = jsonx.AppendString(dst, string(r.thoughts))
	}
	if len(r.blocks) > 0 {
		dst = append(dst, `,"thinking_blocks":[`...)
		dst = append(append(dst, r.blocks...), ']')
	}
	if len(r.calls) > 0 {
		dst = append(dst, `,"tool_calls":[`...)
		for i := range r.calls {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = r.calls[i].append(dst)
		}
		dst = append(dst, ']')
	}
	for _, x := range r.extras {
		switch {
		case x.name == "tool_calls[]" && len(r.calls) > 0: // beside functions
			dst = append(append(append(dst[:len(dst)-1], ','), x.value...), ']')
		case x.name != "content[]": // which is text here
			dst = appendMember(append(dst, ','), x.name, x.value)
		}
	}
	dst = append(dst, `},"logprobs":`...)
	if len(r.logprobs) > 0 {
		dst = append(append(append(dst, `{"content":[`...), r.logprobs...), `],"refusal":null}`...)
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, `,"finish_reason":`...)
	if r.reason == "" && len(r.calls) > 0 {
		r.reason = llm.FinishToolCalls
	}
	return append(append(dst, finishReason(r.reason)...), '}')
}

func (c *replyCall) append(dst []byte) []byte {
	args := string(c.args)
	if args == "" {
		args = "{}"
	}
	dst = append(dst, `{"id":`...)
	dst = jsonx.AppendString(dst, c.id)
	dst = append(dst, `,"type":"function","function":{"name":`...)
	dst = jsonx.AppendString(dst, c.name)
	dst = append(dst, `,"arguments":`...)
	dst = append(jsonx.AppendString(dst, args), '}')
	return append(appendSignature(dst, c.signature), '}')
}
