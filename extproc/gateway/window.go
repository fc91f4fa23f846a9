package gateway

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A window is what one guard makes of a response. Frames go in as they come and
// leave in the same order: a frame waits until the guard has decided about all
// text in it. Of a text that goes on, the last bytes are never decided, as many
// as the longest match may have, so that what goes out is the same however the
// provider cuts its text.
type window struct {
	guard *OutputGuard
	whole bool // one check of everything, at the end
	text  Text // what all checks have in common
	pings bool // need not wait: in the provider's bytes they may be something else besides
	limit int  // bytes that may wait; 0: no limit
	now   func() time.Time
	next  func(*passage) error

	queue    []*passage
	waiting  int // bytes in it
	segments []*segment
	latest   channel // that grew
	ended    bool    // no text follows
	checked  time.Time
	said     Verdict
	altered  map[channel]bool // texts and reasoning that went out redacted
	lost     []string         // what did not go out, because the text it is about has changed
}

// A passage is a frame on its way through the guards.
type passage struct {
	raw      []byte
	events   []llm.Event
	changed  bool
	open     int   // pieces of text that are not decided
	redacted []int // events, in order
}

// When a guard is asked about a text that goes on.
const (
	checkBytes = 64                    // that are new
	checkAge   = 50 * time.Millisecond // of the check before, if anything is new
)

// take adds a frame and lets out what is decided.
func (w *window) take(p *passage) error {
	if w.pings && len(w.queue) > 0 && onlyPings(p.events) { // they tell a client that waits that we are there
		return w.next(p)
	}
	w.queue = append(w.queue, p)
	w.waiting += len(p.raw)
	for i := range p.events {
		w.event(p, i)
	}
	if w.limit > 0 && w.waiting > w.limit {
		return w.broke(fmt.Errorf("gateway: more than %d bytes would have to be held back", w.limit))
	}
	return w.advance()
}

// flush decides about all that is left: nothing follows.
func (w *window) flush() error {
	w.closeAll()
	return w.advance()
}

func (w *window) advance() error {
	if err := w.check(); err != nil {
		return err
	}
	n := slices.IndexFunc(w.queue, func(p *passage) bool { return p.open > 0 })
	if n < 0 {
		n = len(w.queue)
	}
	for _, p := range w.queue[:n] {
		w.waiting -= len(p.raw)
		w.strip(p)
		if err := w.next(p); err != nil {
			return err
		}
	}
	w.queue = slices.Delete(w.queue, 0, n)
	return nil
}

// event finds the text in an event, and the ends of texts.
func (w *window) event(p *passage, i int) {
	e := &p.events[i]
	switch e.Kind {
	case llm.EventText, llm.EventReasoning, llm.EventRefusal, llm.EventToolArgs:
		if e.Text != "" {
			w.grow(p, i)
		}
	case llm.EventToolStart:
		w.closeOthers(channel{e.Choice, llm.EventToolArgs, e.Tool})
	case llm.EventBlockEnd:
		for _, s := range w.segments {
			if s.channel == w.latest && s.channel.choice == e.Choice {
				s.closed = true
			}
		}
	case llm.EventFinish:
		for _, s := range w.segments {
			s.closed = s.closed || s.channel.choice == e.Choice
		}
		w.aside(p, i)
	case llm.EventCitation, llm.EventOther:
		w.aside(p, i)
	case llm.EventEnd, llm.EventError:
		w.closeAll()
	}
}

// grow adds an event's text to the text that it belongs to.
func (w *window) grow(p *passage, i int) {
	e := &p.events[i]
	at := channel{e.Choice, e.Kind, e.Tool}
	if e.Kind != llm.EventToolArgs {
		at.tool = 0
	}
	if w.latest != at {
		w.closeOthers(at)
	}
	s := w.find(at)
	if s == nil {
		s = &segment{channel: at, kind: SegmentText}
		if e.Kind == llm.EventToolArgs {
			s.kind, s.json = SegmentToolArgs, true
		}
		w.segments = append(w.segments, s)
	}
	w.latest = at
	s.grow(p, i, e.Text)
}

// closeOthers ends the texts of a choice that end where another begins. Of tool
// calls that is not so: their arguments may come in turn.
func (w *window) closeOthers(at channel) {
	for _, s := range w.segments {
		if s.channel.choice == at.choice && s.channel != at && s.channel.kind != llm.EventToolArgs {
			s.closed = true
		}
	}
}

// aside makes a text of its own of what an event has beside the model's words.
func (w *window) aside(p *passage, i int) {
	e := &p.events[i]
	text, kind := asideOf(e)
	if text == "" {
		return
	}
	s := &segment{channel: channel{e.Choice, e.Kind, 0}, kind: kind, closed: true, json: e.Kind == llm.EventOther}
	w.segments = append(w.segments, s)
	s.grow(p, i, text)
}

func (w *window) find(at channel) *segment {
	for _, s := range w.segments {
		if s.channel == at && !s.closed {
			return s
		}
	}
	return nil
}

func (w *window) closeAll() {
	w.ended = true
	for _, s := range w.segments {
		s.closed = true
	}
}

// check asks the guard about what is due.
func (w *window) check() error {
	if w.whole {
		if !w.ended || len(w.segments) == 0 {
			return nil
		}
		all := w.segments
		w.segments = nil
		return w.ask(PhaseResponse, all)
	}
	for i := range w.segments {
		if w.due(w.segments[i]) {
			if err := w.ask(PhaseStream, w.segments[i:i+1]); err != nil {
				return err
			}
		}
	}
	w.segments = slices.DeleteFunc(w.segments, func(s *segment) bool { return s.closed })
	return nil
}

// due reports whether a check could decide about anything, and is worth it.
func (w *window) due(s *segment) bool {
	switch {
	case len(s.pieces) == 0:
		return false
	case s.closed:
		return true
	case s.fresh == 0 || s.context+s.pieces[0].n > len(s.text)-w.guard.hold():
		return false
	}
	return s.fresh >= checkBytes || w.now().Sub(w.checked) >= checkAge
}

// ask shows texts to the guard and does what it says about them.
func (w *window) ask(phase Phase, all []*segment) error {
	t := w.text
	t.Phase, t.More, t.Seen = phase, !all[0].closed, all[0].context > 0
	t.Segments = make([]Segment, len(all))
	for i, s := range all {
		s.fresh = 0
		t.Segments[i] = Segment{Role: llm.RoleAssistant, Kind: s.kind, Text: string(s.text)}
	}
	w.checked = w.now()
	v, err := w.guard.Check(context.Background(), &t) // it bounds its own time
	if err == nil {
		err = w.obey(&v, all)
	} else if !w.guard.AllowOnError {
		err = w.broke(err)
	} else {
		err = w.obey(&Verdict{Action: ActionFailed}, all)
	}
	return err
}

// obey applies a verdict about texts.
func (w *window) obey(v *Verdict, all []*segment) error {
	hold := w.guard.hold()
	for _, s := range all {
		s.held = nil
	}
	if v.Holds {
		hold = min(hold, v.Hold)
	}
	if v.Action == ActionBlock && w.blocks(v, all, hold) {
		w.hear(v, v.Action, len(v.Findings))
		return blockedOutput(w.guard.Name(), v)
	}
	counted := 0
	action, rest := v.Action, v.Findings
	for i, s := range all {
		var findings []Finding
		var err error
		if findings, rest, err = inSegment(rest, i, s); err != nil {
			return w.broke(err)
		}
		found := count(findings, s.context, len(s.text))
		n, err := s.decide(findings, hold, w.guard.hold(), v.Action == ActionRedact)
		if err != nil {
			return w.broke(err)
		}
		if counted += n; found > n {
			s.held = &held{*v, found - n}
		}
	}
	if len(rest) > 0 {
		return w.broke(fmt.Errorf("gateway: finding in segment %d, which is not there or comes before", rest[0].Segment))
	}
	if (action == ActionRedact || action == ActionBlock) && counted == 0 { // it may still turn out otherwise
		action = ActionAllow
	}
	w.hear(v, action, counted)
	return nil
}

// blocks reports whether a verdict to block stands. One about text that is held
// back anyway may change with what follows.
func (w *window) blocks(v *Verdict, all []*segment, hold int) bool {
	if len(v.Findings) == 0 {
		return true
	}
	return slices.ContainsFunc(v.Findings, func(f Finding) bool {
		return f.Segment < 0 || f.Segment >= len(all) || all[f.Segment].closed || f.End <= len(all[f.Segment].text)-hold
	})
}

// Bounds of what is kept of all that a guard says about one response.
const (
	maxFindings = 10_000
	maxSaid     = 256 // labels, and scores
)

// hear adds a verdict to what the guard has said of the response.
func (w *window) hear(v *Verdict, action Action, findings int) {
	said := &w.said
	if stricter(action, said.Action) {
		said.Action, said.Code, said.Message = action, v.Code, v.Message
	}
	said.Findings = slices.Grow(said.Findings, findings)[:min(len(said.Findings)+findings, maxFindings)] // they are counted, and no more
	for _, label := range v.Labels {
		if len(said.Labels) < maxSaid && !slices.Contains(said.Labels, label) {
			said.Labels = append(said.Labels, label)
		}
	}
	for name, score := range v.Scores {
		if said.Scores == nil {
			said.Scores = map[string]float64{}
		}
		if old, ok := said.Scores[name]; ok && score > old || !ok && len(said.Scores) < maxSaid {
			said.Scores[name] = score
		}
	}
}

// leave tells what was found in text that was held back when the response broke
// off: nothing follows that could change it.
func (w *window) leave() {
	for _, s := range w.segments {
		if s.held != nil {
			w.hear(&s.held.verdict, s.held.verdict.Action, s.held.findings)
		}
	}
	w.segments = nil
}

// strip takes out of a frame what does not hold for text that is redacted: its
// tokens, places in it, the signature of reasoning. It takes out texts of which
// nothing is left, too.
func (w *window) strip(p *passage) {
	if !p.changed && len(w.altered) == 0 {
		return
	}
	kept := p.events[:0]
	for i, e := range p.events {
		if len(p.redacted) > 0 && p.redacted[0] == i {
			p.redacted = p.redacted[1:]
			w.alter(&e)
		}
		if !w.stale(&e) {
			kept = append(kept, e)
		}
	}
	p.changed = p.changed || len(kept) < len(p.events)
	p.events, p.redacted = kept, nil
}

// alter notes that what an event says is redacted.
func (w *window) alter(e *llm.Event) {
	if w.altered == nil {
		w.altered = map[channel]bool{}
	}
	switch e.Kind {
	case llm.EventText, llm.EventRefusal:
		w.altered[channel{choice: e.Choice, kind: llm.EventText}] = true
	case llm.EventReasoning:
		w.altered[channel{choice: e.Choice, kind: llm.EventReasoning}] = true
	}
}

// stale reports whether an event must not go out after what was redacted.
func (w *window) stale(e *llm.Event) bool {
	text, reasoning := channel{choice: e.Choice, kind: llm.EventText}, channel{choice: e.Choice, kind: llm.EventReasoning}
	switch e.Kind {
	case llm.EventText, llm.EventReasoning, llm.EventRefusal, llm.EventToolArgs:
		return e.Text == ""
	case llm.EventLogprobs:
		return w.altered[text] && w.lose("logprobs")
	case llm.EventCitation:
		return w.altered[text] && w.lose("citations")
	case llm.EventSignature:
		gone := w.altered[reasoning] && w.lose("the signature of reasoning")
		delete(w.altered, reasoning) // the next is of other reasoning
		return gone
	}
	return false
}

func (w *window) lose(what string) bool {
	if !slices.Contains(w.lost, what) {
		w.lost = append(w.lost, what)
	}
	return true
}

func (w *window) broke(err error) error {
	w.hear(&Verdict{}, ActionFailed, 0)
	return brokenOutput(w.guard.Name(), err)
}

func onlyPings(events []llm.Event) bool {
	return len(events) > 0 && !slices.ContainsFunc(events, func(e llm.Event) bool { return e.Kind != llm.EventPing })
}
