package anthropic

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// NewEncoder writes the response to r. Official SDKs are strict: a stream's
// blocks must come one after the other, numbered without gaps, and reasoning
// must be signed; what no provider signed gets the mark "unsigned".
func (d *Dialect) NewEncoder(r *llm.Request) dialect.Encoder {
	a := answer{Report: dialect.Report{API: api}, model: r.Model, usage: llm.Usage{Input: r.InputEstimate}}
	switch {
	case r.Op == llm.OpCountTokens:
		return dialect.CountEncoder("application/json", `{"input_tokens":`, d.EncodeError)
	case r.Stream:
		return dialect.Restored(r, &streamEncoder{answer: a})
	}
	return dialect.Restored(r, &unaryEncoder{answer: a})
}

// An answer is what both forms of a response keep until its end.
type answer struct {
	dialect.Report
	id, model string
	usage     llm.Usage
	finish    llm.Event
	calls     int  // tool calls
	refused   bool // the model refused in words
	ended     bool // nothing may be written any more
}

func (a *answer) start(e *llm.Event) {
	if e.Model != "" {
		a.model = e.Model
	}
	if a.id = e.ID; a.id == "" {
		a.id = "msg_" + rand.Text()
	}
	if e.Usage != (llm.Usage{}) {
		a.usage = e.Usage
	}
}

// callID is the id of a tool call: the provider's where the API would take it.
// Some providers give none.
func (a *answer) callID(e *llm.Event) string {
	a.calls++
	if e.ID != "" {
		return toolID(e.ID)
	}
	sum := sha256.Sum256([]byte(a.id + "/" + strconv.Itoa(e.Tool)))
	return "toolu_" + hex.EncodeToString(sum[:12])
}

// stopReason is why the message stopped. Some providers finish with "stop" when
// they call tools; a call that was cut off by the limit keeps that reason.
func (a *answer) stopReason() string {
	switch reason := a.finish.Reason; {
	case a.calls > 0 && (reason == "" || reason == llm.FinishStop || reason == llm.FinishStopSequence):
		return "tool_use"
	case a.refused && (reason == "" || reason == llm.FinishStop):
		return "refusal"
	case reason == llm.FinishToolCalls && a.calls == 0:
		return "end_turn"
	case stopReasonOf[reason] != "":
		return stopReasonOf[reason]
	}
	return "end_turn"
}

// appendStop writes why the message stopped, as members.
func (a *answer) appendStop(dst []byte) []byte {
	dst = append(append(append(dst, `"stop_reason":"`...), a.stopReason()...), '"')
	dst = append(dst, `,"stop_sequence":`...)
	if a.finish.Stop == "" {
		dst = append(dst, "null"...)
	} else {
		dst = jsonx.AppendString(dst, a.finish.Stop)
	}
	if a.finish.Text != "" {
		dst = append(dst, `,"stop_details":{"type":"refusal","category":null,"explanation":`...)
		dst = append(jsonx.AppendString(dst, a.finish.Text), '}')
	}
	return dst
}

// appendUsage writes counts as this API has them: input without cached tokens.
func appendUsage(dst []byte, u llm.Usage) []byte {
	dst = append(dst, `{"input_tokens":`...)
	dst = strconv.AppendInt(dst, max(0, u.Input-u.CacheRead-u.CacheWrite), 10)
	dst = append(dst, `,"cache_creation_input_tokens":`...)
	dst = strconv.AppendInt(dst, u.CacheWrite, 10)
	dst = append(dst, `,"cache_read_input_tokens":`...)
	dst = strconv.AppendInt(dst, u.CacheRead, 10)
	if u.CacheWrite > 0 {
		dst = append(dst, `,"cache_creation":{"ephemeral_5m_input_tokens":`...)
		dst = strconv.AppendInt(dst, max(0, u.CacheWrite-u.CacheWriteHour), 10)
		dst = append(dst, `,"ephemeral_1h_input_tokens":`...)
		dst = append(strconv.AppendInt(dst, u.CacheWriteHour, 10), '}')
	}
	dst = append(dst, `,"output_tokens":`...)
	dst = strconv.AppendInt(dst, u.Output, 10)
	if u.Reasoning > 0 {
		dst = append(dst, `,"output_tokens_details":{"thinking_tokens":`...)
		dst = append(strconv.AppendInt(dst, u.Reasoning, 10), '}')
	}
	return append(dst, '}')
}

// appendHead writes the members that a message begins with.
func (a *answer) appendHead(dst []byte) []byte {
	dst = append(dst, `"id":`...)
	dst = jsonx.AppendString(dst, a.id)
	dst = append(dst, `,"type":"message","role":"assistant","model":`...)
	return jsonx.AppendString(dst, a.model)
}
