package gateway

import (
	"time"

	"github.com/attache-gateway/attache/extproc/llm"
	"github.com/attache-gateway/attache/extproc/tokens"
)

// A meter notes what passes: the usage that the provider reports, the text of
// which it is counted if it does not, the first token and the end.
type meter struct {
	text     []byte // of the output, not counted yet
	counted  int64  // tokens of the output before it
	reported bool
	seen     bool // content came
	ended    bool // the provider said that it is done, or failed
	failed   *llm.Error
}

// countEvery bounds the text that a meter holds. Counting in pieces may find a
// token more at each cut.
const countEvery = 16 << 10

func (m *meter) take(x *Exchange, events []llm.Event) {
	for i := range events {
		switch ev := &events[i]; ev.Kind {
		case llm.EventUsage:
			x.record.Usage, m.reported = ev.Usage, true
			m.text, m.counted = m.text[:0], ev.Usage.Output
		case llm.EventFinish:
			x.record.Finish = ev.Reason
		case llm.EventEnd:
			m.ended = true
			x.noteGood()
		case llm.EventError:
			m.ended, m.failed = true, ev.Err
			x.noteFailed(ev.Err)
			x.record.Code, x.record.Detail = ev.Err.Code, "the provider reported an error in its response"
		default:
			if ev.Kind.Content() {
				m.content(x, ev.Text)
			}
		}
	}
}

func (m *meter) content(x *Exchange, text string) {
	if !m.seen {
		m.seen = true
		x.noteGood()
		x.record.FirstToken = max(x.gw.now().Sub(x.record.Start), time.Nanosecond)
	}
	if m.reported && !x.bounded() {
		return
	}
	m.text = append(m.text, text...)
	if len(m.text) >= countEvery {
		m.count(x)
	}
}

func (m *meter) count(x *Exchange) {
	m.counted += tokens.ForModel(x.resp.model).Count(string(m.text))
	m.text = m.text[:0]
}

// Usage notes what Envoy read out of a response whose body stayed there.
func (x *Exchange) Usage(u llm.Usage) {
	if x.resp == nil || x.resp.mode != ModePass {
		return
	}
	x.record.Usage, x.resp.reported = u, true
}

// Done notes that a response whose body stayed in Envoy came to its end, as far
// as Envoy can tell.
func (x *Exchange) Done() {
	if x.resp != nil && x.resp.mode == ModePass {
		x.resp.meter.ended = true
	}
}

// estimate is our own count of the input.
func (x *Exchange) estimate() int64 {
	if x.inputEstimate == 0 && x.req != nil {
		x.inputEstimate = inputTokens(x.req, false)
	}
	return x.inputEstimate
}

// settle books what was used.
func (x *Exchange) settle(gone bool) {
	defer x.unbook()
	r, resp := &x.record, x.resp
	if resp == nil {
		r.Cancelled = gone && r.Status == 0
		return
	}
	// The end of a unary response that stayed in Envoy shows only where it
	// reports usage, so that its absence proves nothing.
	if !resp.meter.ended && resp.status == 0 && (resp.mode != ModePass || r.Stream) {
		r.Truncated = true
		r.Cancelled = gone && !resp.ended
		if resp.mode == ModeWhole && !resp.ended {
			r.Status = 0 // its headers were still held
		}
	}
	if !resp.reported && resp.status == 0 && r.Op != llm.OpForward {
		resp.count(x)
		r.Usage.Output, r.Counted = resp.counted, true
		if r.Usage.Input == 0 {
			r.Usage.Input = x.estimate()
		}
	}
	if r.Op == llm.OpCountTokens { // a question about tokens uses none
		r.Usage = llm.Usage{}
	}
	if resp.priced {
		r.CostNano = resp.price.Cost(r.Usage)
	}
	r.Unpriced = !resp.priced || r.Op == llm.OpForward && !resp.reported
}
