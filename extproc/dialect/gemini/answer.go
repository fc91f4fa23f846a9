package gemini

import (
	"strconv"
	"strings"
	"time"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// An answer reads the objects of one response, of which a stream has many. Each
// holds a piece of what the whole answer of a unary response holds.
type answer struct {
	in     *jsonx.Reader
	data   []byte // that it reads
	op     llm.Op
	events []llm.Event

	head    llm.Event // EventStart, as far as it is known
	started bool
	said    bool // something of an answer was there
	over    bool // the response has ended, broken
	choices []*candidate
	pieces  []piece // of the candidate that is being read
	sources []byte  // groundingMetadata of the candidate that is being read
	tokens  []byte  // its logprobsResult
	usage   usage
	counted llm.Usage // what was emitted last
	fault   fault
	blocked string // why the prompt was refused
	excuse  string // in words
}

// A candidate is one of several answers.
type candidate struct {
	index   int
	calls   int
	text    dialect.Measure
	content bool // something was said
	done    bool // EventFinish is out
}

// usage holds the counts as the wire has them.
type usage struct{ prompt, tools, cached, output, thoughts, heard, spoken int64 }

func (u *usage) total() llm.Usage {
	return llm.Usage{
		AudioInput:  u.heard,
		AudioOutput: u.spoken,
		Input:       u.prompt + u.tools,
		CacheRead:   u.cached,
		Output:      u.output + u.thoughts,
		Reasoning:   u.thoughts,
	}
}

// Bounds of one response.
const (
	maxChoices = 256
	maxCalls   = 4096
)

func (a *answer) emit(e llm.Event) { a.events = append(a.events, e) }

// object reads one object.
func (a *answer) object(data []byte) error {
	a.in.Reset(data)
	a.data = data
	a.fault, a.blocked = fault{}, ""
	first, failed, counts := len(a.events), false, false
	err := a.in.Object(func(name []byte) error {
		if string(name) == "error" && a.in.Kind() == jsonx.Object {
			failed = true
			return a.fault.read(a.in)
		}
		counts = counts || string(name) == "usageMetadata" || string(name) == "totalTokens"
		return a.member(name)
	})
	if err == nil {
		err = a.in.End()
	}
	if err != nil {
		return err
	}
	if a.blocked != "" {
		a.begin()
		a.block()
	}
	if a.started && first < len(a.events) && a.events[first].Kind == llm.EventStart {
		a.events[first] = a.head // its members come after the candidates
	}
	a.nameCalls(a.events[first:])
	if failed {
		a.over = true
		a.emit(llm.Event{Kind: llm.EventError, Err: a.fault.error(0)})
		return nil
	}
	if counts {
		a.report()
	}
	return nil
}

func (a *answer) member(name []byte) error {
	kind := a.in.Kind()
	switch string(name) {
	case "candidates":
		if kind == jsonx.Array {
			a.said = true
			return a.in.Array(a.candidate)
		}
	case "promptFeedback":
		if kind == jsonx.Object {
			a.said = true
			return a.feedback()
		}
	case "usageMetadata":
		if kind == jsonx.Object {
			a.said = true
			return a.in.Object(a.usageMember)
		}
	case "modelVersion":
		return str(a.in, &a.head.Model)
	case "responseId":
		return str(a.in, &a.head.ID)
	case "createTime":
		return a.created()
	case "totalTokens":
		if a.op == llm.OpCountTokens {
			a.said = true
			return natural(a.in, &a.usage.prompt)
		}
	case "embedding", "embeddings":
		if a.op == llm.OpEmbeddings {
			return a.vectors(kind)
		}
	}
	_, err := a.in.Skip()
	return err
}

func (a *answer) created() error {
	var text string
	err := str(a.in, &text)
	if t, bad := time.Parse(time.RFC3339, text); bad == nil {
		a.head.Created = t.Unix()
	}
	return err
}

func (a *answer) feedback() error {
	return a.in.Object(func(name []byte) error {
		switch string(name) {
		case "blockReason":
			return str(a.in, &a.blocked)
		case "blockReasonMessage":
			return str(a.in, &a.excuse)
		}
		_, err := a.in.Skip()
		return err
	})
}

func (a *answer) usageMember(name []byte) error {
	switch string(name) {
	case "promptTokenCount":
		return natural(a.in, &a.usage.prompt)
	case "toolUsePromptTokenCount":
		return natural(a.in, &a.usage.tools)
	case "cachedContentTokenCount":
		return natural(a.in, &a.usage.cached)
	case "candidatesTokenCount":
		return natural(a.in, &a.usage.output)
	case "thoughtsTokenCount":
		return natural(a.in, &a.usage.thoughts)
	case "promptTokensDetails":
		return a.sound(&a.usage.heard)
	case "candidatesTokensDetails":
		return a.sound(&a.usage.spoken)
	}
	_, err := a.in.Skip()
	return err
}

// report emits the counts if they are others than before.
func (a *answer) report() {
	if u := a.usage.total(); u != a.counted {
		a.begin()
		a.counted = u
		a.emit(llm.Event{Kind: llm.EventUsage, Usage: u})
	}
}

func (a *answer) begin() {
	if !a.started {
		a.started = true
		a.head.Kind = llm.EventStart
		a.emit(a.head)
	}
}

// block ends the answer to a prompt that was refused.
func (a *answer) block() {
	c := a.at(0)
	if !c.done {
		c.done = true
		a.emit(llm.Event{Kind: llm.EventFinish, Reason: llm.FinishContentFilter, Text: a.excuse})
	}
}

func (a *answer) at(index int) *candidate {
	for _, c := range a.choices {
		if c.index == index {
			return c
		}
	}
	c := &candidate{index: index}
	a.choices = append(a.choices, c)
	return c
}

// finished reports whether some candidate has ended, and the response has not.
func (a *answer) finished() bool {
	if a.over {
		return false
	}
	for _, c := range a.choices {
		if c.done {
			return true
		}
	}
	return false
}

// end closes what a whole body left open.
func (a *answer) end() {
	if a.over {
		return
	}
	a.begin()
	if a.op == llm.OpChat && len(a.choices) == 0 {
		a.at(0)
	}
	for _, c := range a.choices {
		if !c.done {
			a.finish(c, "STOP")
		}
	}
	a.emit(llm.Event{Kind: llm.EventEnd})
}

// candidate reads one candidate: its parts, and its end if there is one. Which
// of several it is may stand behind its parts.
func (a *answer) candidate(i int) error {
	if a.in.Kind() != jsonx.Object {
		_, err := a.in.Skip()
		return err
	}
	a.begin()
	index, reason := int64(i), ""
	a.pieces, a.sources, a.tokens = a.pieces[:0], nil, nil
	err := a.in.Object(func(name []byte) (err error) {
		switch string(name) {
		case "content":
			if a.in.Kind() == jsonx.Object {
				return a.content()
			}
		case "groundingMetadata":
			a.sources, err = a.in.Raw()
			return err
		case "logprobsResult":
			a.tokens, err = a.in.Raw()
			return err
		case "finishReason":
			return a.reason(&reason)
		case "index":
			return natural(a.in, &index)
		}
		_, err = a.in.Skip()
		return err
	})
	if err != nil {
		return err
	}
	if index >= maxChoices {
		return errShape
	}
	c := a.at(int(index))
	var from []int // where the text of each part begins, in bytes
	for i := range a.pieces {
		if a.sources != nil {
			from = append(from, c.text.Len())
		}
		if err := a.say(c, &a.pieces[i]); err != nil {
			return err
		}
	}
	a.likely(c)
	a.cite(c, from)
	if reason != "" && reason != "FINISH_REASON_UNSPECIFIED" {
		a.finish(c, reason)
	}
	return nil
}

// reason reads a finish reason, by name or number.
func (a *answer) reason(to *string) error {
	if a.in.Kind() != jsonx.Number {
		return str(a.in, to)
	}
	var n int64
	err := natural(a.in, &n)
	*to = "OTHER"
	if n < int64(len(numberedReasons)) {
		*to = numberedReasons[n]
	}
	return err
}

// finish says why a candidate ended, once. An end with tool calls is an end for
// tool calls. An answer that came to nothing because what the model wrote cannot
// be read is none.
func (a *answer) finish(c *candidate, word string) {
	if c.done || a.over {
		return
	}
	c.done = true
	if malformed[word] && !c.content {
		a.over = true
		a.emit(llm.Event{Kind: llm.EventError, Err: &llm.Error{Status: 502, Code: llm.CodeUpstreamError,
			Message: "the model wrote a tool call that cannot be read", Type: "INTERNAL"}})
		return
	}
	reason, ok := reasonOf[word]
	if !ok {
		reason = llm.FinishStop
	}
	if reason == llm.FinishStop && c.calls > 0 {
		reason = llm.FinishToolCalls
	}
	a.emit(llm.Event{Kind: llm.EventFinish, Choice: c.index, Reason: reason})
}

// nameCalls gives ids to the calls that came without one. They are the same for
// every cut of the response, and other than in the turns before.
func (a *answer) nameCalls(events []llm.Event) {
	for i := range events {
		if e := &events[i]; e.Kind == llm.EventToolStart && e.ID == "" {
			e.ID = "call_" + safe(a.head.ID) + "_" + strconv.Itoa(e.Choice) + "_" + strconv.Itoa(e.Tool)
		}
	}
}

// safe is the end of an id, of letters and digits.
func safe(id string) string {
	id = strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return -1
	}, id)
	return id[max(0, len(id)-24):]
}

// str reads a string; what is none changes nothing.
func str(in *jsonx.Reader, to *string) error {
	if in.Kind() != jsonx.String {
		_, err := in.Skip()
		return err
	}
	s, err := in.String()
	*to = s
	return err
}

// natural reads a number that is not negative, which protocol buffers may write
// as a string. What is something else changes nothing.
func natural(in *jsonx.Reader, to *int64) error {
	var text string
	var err error
	switch in.Kind() {
	case jsonx.Number:
		text, err = in.NumberText()
	case jsonx.String:
		text, err = in.String()
	default:
		_, err = in.Skip()
	}
	if n, bad := strconv.ParseInt(text, 10, 64); err == nil && bad == nil && n >= 0 && n <= maxCount {
		*to = n
	}
	return err
}

// maxCount bounds a count, so that sums of counts do not overflow.
const maxCount = 1 << 40
