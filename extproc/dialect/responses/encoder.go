package responses

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/fault"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// NewEncoder writes the response to r in the form that r asks for. SDKs follow
// a stream closely: an item is added before anything is said of it, is done
// before the response is, and what the last event holds is what was said.
func (d *Dialect) NewEncoder(r *llm.Request) dialect.Encoder {
	if r.Op == llm.OpCountTokens {
		return &countEncoder{dialect.CountEncoder("application/json", `{"object":"response.input_tokens","input_tokens":`, d.EncodeError), r}
	}
	l := &lifecycle{Report: dialect.Report{API: api}, model: r.Model, now: d.now, request: echo(r)}
	if r.Stream {
		return dialect.Restored(r, l)
	}
	return dialect.Restored(r, &snapshot{l: l})
}

// A lifecycle writes a response as a stream of events.
type lifecycle struct {
	dialect.Report
	now     func() time.Time
	request []byte // members of a response that repeat the request

	id, model string
	base      string // of the ids of items
	created   int64
	seq       int64 // of the next event
	items     []*output
	open      *output // the message or reasoning that text goes to
	calls     map[int]*output
	size      int // bytes of text
	chars     int // of text so far
	reason    llm.FinishReason
	usage     llm.Usage
	counted   bool
	begun     bool
	over      bool
}

// maxAnswer bounds the text of a response, which its last event repeats, and
// itemCost is what an item counts.
const (
	maxAnswer = 64 << 20
	itemCost  = 256
)

// MediaType is the content-type of what is written.
func (l *lifecycle) MediaType() string { return "text/event-stream; charset=utf-8" }

// Encode appends the events that a client shall see.
func (l *lifecycle) Encode(dst []byte, events []llm.Event) ([]byte, error) {
	for i := range events {
		e := &events[i]
		if l.over || e.Choice > 0 {
			continue
		}
		if l.size += len(e.Text); l.size+len(l.items)*itemCost > maxAnswer {
			return dst, dialect.TooLarge()
		}
		dst = l.event(dst, e)
	}
	return dst, nil
}

func (l *lifecycle) event(dst []byte, e *llm.Event) []byte {
	switch e.Kind {
	case llm.EventStart:
		return l.begin(dst, e)
	case llm.EventText, llm.EventRefusal:
		if e.Text != "" {
			dst = l.text(l.begin(dst, nil), e)
		}
	case llm.EventReasoning:
		if e.Text != "" {
			dst = l.reasoning(l.begin(dst, nil), e.Text)
		}
	case llm.EventSignature:
		dst = l.sign(l.begin(dst, nil), e.Text)
	case llm.EventRedacted:
		dst = l.redacted(l.begin(dst, nil), e.Text)
	case llm.EventToolStart:
		dst = l.begin(dst, nil)
		if e.Signature != "" { // which other formats have on the call itself
			dst = l.blockEnd(l.sign(l.blockEnd(dst), e.Signature))
		}
		dst = l.call(dst, e)
	case llm.EventToolArgs:
		dst = l.arguments(dst, e)
	case llm.EventCitation:
		dst = l.cite(dst, e)
	case llm.EventLogprobs:
		dst = l.probabilities(dst, e)
	case llm.EventMedia:
		dst = l.image(l.begin(dst, nil), e)
	case llm.EventOther:
		dst = l.other(l.begin(dst, nil), e)
	case llm.EventBlockEnd:
		dst = l.blockEnd(dst)
	case llm.EventUsage:
		l.usage, l.counted = e.Usage, true
	case llm.EventFinish:
		l.reason = e.Reason
		dst = l.closeAll(dst, l.ending())
	case llm.EventPing:
		dst = append(dst, ": ping\n\n"...)
	case llm.EventError:
		dst = l.fail(dst, e.Err)
	case llm.EventEnd:
		dst = l.end(l.begin(dst, nil))
	}
	return dst
}

// begin writes the first events, once.
func (l *lifecycle) begin(dst []byte, e *llm.Event) []byte {
	if l.begun {
		return dst
	}
	l.begun = true
	if e == nil {
		e = &llm.Event{}
	}
	l.base, l.created = alphanumeric(e.ID), e.Created
	if l.base == "" {
		l.base = newID()
	}
	if l.id = "resp_" + l.base; strings.HasPrefix(e.ID, "resp_") {
		l.id = e.ID
	}
	if e.Model != "" {
		l.model = e.Model
	}
	if l.created == 0 {
		l.created = l.now().Unix()
	}
	for _, name := range [...]string{"response.created", "response.in_progress"} {
		dst = append(l.send(dst, name), `,"response":`...)
		dst = append(l.response(dst, "in_progress", nil), "}\n\n"...)
	}
	return dst
}

// send begins an event; its data is an object that stays open.
func (l *lifecycle) send(dst []byte, name string) []byte {
	dst = append(append(dst, "event: "...), name...)
	dst = append(append(dst, "\ndata: {\"type\":\""...), name...)
	dst = strconv.AppendInt(append(dst, `","sequence_number":`...), l.seq, 10)
	l.seq++
	return dst
}

// ending is the status of the response by the reason of its end.
func (l *lifecycle) ending() string {
	switch l.reason {
	case llm.FinishLength, llm.FinishContext, llm.FinishContentFilter, llm.FinishRefusal:
		return "incomplete"
	}
	return "completed"
}

// end waits for EventEnd, because counts may come behind the finish reason.
func (l *lifecycle) end(dst []byte) []byte {
	l.over = true
	status := l.ending()
	dst = l.closeAll(dst, status)
	dst = append(l.send(dst, "response."+status), `,"response":`...)
	return append(l.response(dst, status, nil), "}\n\n"...)
}

// fail ends the stream with an error, and the response, if there is one, as
// failed.
func (l *lifecycle) fail(dst []byte, e *llm.Error) []byte {
	l.over = true
	dst = append(l.send(dst, "error"), `,"code":`...)
	dst = jsonx.AppendOrNull(dst, e.Code)
	dst = append(dst, `,"message":`...)
	dst = jsonx.AppendString(dst, e.Message)
	dst = append(dst, `,"param":`...)
	dst = append(jsonx.AppendOrNull(dst, e.Param), "}\n\n"...)
	if !l.begun {
		return dst
	}
	dst = append(l.send(dst, "response.failed"), `,"response":`...)
	return append(l.response(dst, "failed", e), "}\n\n"...)
}

// Warnings names what was left out.
func (s *snapshot) Warnings() []string { return s.l.Warnings() }

// A snapshot writes a unary response: what the last event of a stream holds.
type snapshot struct {
	l       *lifecycle
	scratch []byte
}

// MediaType is the content-type of what is written.
func (*snapshot) MediaType() string { return "application/json" }

// Encode collects the events and writes the response when they end.
func (s *snapshot) Encode(dst []byte, events []llm.Event) ([]byte, error) {
	for i := range events {
		if s.l.over {
			break
		}
		var err error
		if s.scratch, err = s.l.Encode(s.scratch[:0], events[i:i+1]); err != nil {
			return dst, err
		}
		switch e := &events[i]; e.Kind {
		case llm.EventEnd:
			dst = s.l.response(dst, s.l.ending(), nil)
		case llm.EventError:
			dst = fault.Append(dst, e.Err)
		}
	}
	return dst, nil
}

// response appends the response as it stands. Its output is the items that are
// done.
func (l *lifecycle) response(dst []byte, status string, e *llm.Error) []byte {
	dst = append(dst, `{"id":`...)
	dst = jsonx.AppendString(dst, l.id)
	dst = strconv.AppendInt(append(dst, `,"object":"response","created_at":`...), l.created, 10)
	dst = append(append(dst, `,"status":"`...), status...)
	dst = append(dst, `","completed_at":`...)
	if status == "completed" {
		dst = strconv.AppendInt(dst, l.now().Unix(), 10)
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, `,"error":`...)
	dst = appendFailure(dst, e)
	dst = append(dst, `,"incomplete_details":`...)
	dst = append(dst, l.details(status)...)
	dst = append(dst, `,"model":`...)
	dst = jsonx.AppendString(dst, l.model)
	dst = append(dst, `,"output":[`...)
	for i, it := range slices.DeleteFunc(slices.Clone(l.items), func(it *output) bool { return !it.done }) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = it.append(dst)
	}
	dst = append(dst, `],"usage":`...)
	if l.counted && status != "in_progress" {
		dst = appendUsage(dst, &l.usage)
	} else {
		dst = append(dst, "null"...)
	}
	return append(append(dst, l.request...), '}')
}

func (l *lifecycle) details(status string) string {
	switch {
	case status != "incomplete":
		return "null"
	case l.reason == llm.FinishContentFilter || l.reason == llm.FinishRefusal:
		return `{"reason":"content_filter"}`
	}
	return `{"reason":"max_output_tokens"}`
}

// appendFailure appends the error of a response. It has codes of its own.
func appendFailure(dst []byte, e *llm.Error) []byte {
	if e == nil {
		return append(dst, "null"...)
	}
	code := "server_error"
	if e.Status == 429 {
		code = "rate_limit_exceeded"
	}
	dst = append(dst, `{"code":"`+code+`","message":`...)
	return append(jsonx.AppendString(dst, e.Message), '}')
}

func appendUsage(dst []byte, u *llm.Usage) []byte {
	field := func(name string, n int64) {
		dst = strconv.AppendInt(append(dst, name...), n, 10)
	}
	field(`{"input_tokens":`, u.Input)
	field(`,"input_tokens_details":{"cached_tokens":`, u.CacheRead)
	field(`,"cache_write_tokens":`, u.CacheWrite)
	if u.CacheWriteHour > 0 {
		field(`,"cache_write_tokens_details":{"ttl_30m_tokens":`, u.CacheWrite-u.CacheWriteHour)
		field(`,"ttl_12h_tokens":`, u.CacheWriteHour)
		dst = append(dst, '}')
	}
	field(`},"output_tokens":`, u.Output)
	field(`,"output_tokens_details":{"reasoning_tokens":`, u.Reasoning)
	field(`},"total_tokens":`, u.Total())
	return append(dst, '}')
}
