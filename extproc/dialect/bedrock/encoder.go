package bedrock

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// NewEncoder writes the response to r. Of its metrics the latency is 0: only
// the service knows it.
func (d *Dialect) NewEncoder(r *llm.Request) dialect.Encoder {
	if r.Op == llm.OpCountTokens {
		return dialect.CountEncoder("application/json", `{"inputTokens":`, d.EncodeError)
	}
	a := answer{Report: dialect.Report{API: api}, usage: llm.Usage{Input: r.InputEstimate}}
	if r.Stream {
		return dialect.Restored(r, &streamEncoder{answer: a})
	}
	return dialect.Restored(r, &unaryEncoder{answer: a})
}

// An answer is what both forms of a response keep until its end.
type answer struct {
	dialect.Report
	id      string // which calls without ids are named after
	usage   llm.Usage
	finish  llm.Event
	calls   int  // tool calls
	refused bool // the model refused in words
	ended   bool // nothing may be written any more
}

func (a *answer) start(e *llm.Event) {
	if a.id = e.ID; a.id == "" {
		a.id = rand.Text()
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
	if a.id == "" {
		a.start(&llm.Event{})
	}
	sum := sha256.Sum256([]byte(a.id + "/" + strconv.Itoa(e.Tool)))
	return "tooluse_" + hex.EncodeToString(sum[:12])
}

// stopReason is why the message stopped. Some providers finish with "stop" when
// they call tools; a call that was cut off by the limit keeps that reason.
func (a *answer) stopReason() string {
	reason := a.finish.Reason
	done := reason == "" || reason == llm.FinishStop
	switch {
	case a.calls > 0 && (done || reason == llm.FinishStopSequence):
		return "tool_use"
	case a.refused && done:
		return "content_filtered"
	case reason == llm.FinishToolCalls && a.calls == 0:
		return "end_turn"
	case stopReasonOf[reason] != "":
		return stopReasonOf[reason]
	}
	return "end_turn"
}

// appendStop writes why the message stopped, as members.
func (a *answer) appendStop(dst []byte) []byte {
	dst = append(append(append(dst, `"stopReason":"`...), a.stopReason()...), '"')
	if a.finish.Stop != "" {
		dst = append(dst, `,"additionalModelResponseFields":{"stop_sequence":`...)
		dst = append(jsonx.AppendString(dst, a.finish.Stop), '}')
	}
	return dst
}

// appendUsage writes the counts and the metrics, as members. Here the input is
// without cached tokens.
func (a *answer) appendUsage(dst []byte) []byte {
	u := a.usage
	count := func(name string, n int64) {
		dst = append(append(append(dst, `,"`...), name...), `":`...)
		dst = strconv.AppendInt(dst, n, 10)
	}
	dst = append(dst, `"usage":{"inputTokens":`...)
	dst = strconv.AppendInt(dst, max(0, u.Input-u.CacheRead-u.CacheWrite), 10)
	count("outputTokens", u.Output)
	count("totalTokens", u.Total())
	count("cacheReadInputTokens", u.CacheRead)
	count("cacheWriteInputTokens", u.CacheWrite)
	if u.CacheWriteHour > 0 {
		dst = append(dst, `,"cacheDetails":[{"ttl":"1h"`...)
		count("inputTokens", u.CacheWriteHour)
		dst = append(dst, "}]"...)
	}
	return append(dst, `},"metrics":{"latencyMs":0}`...)
}

// appendSignature writes whose reasoning it is.
func appendSignature(dst []byte, signature string) []byte {
	if signature == "" {
		signature = unsigned
	}
	return jsonx.AppendString(append(dst, `"signature":`...), signature)
}
