package gateway

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A channel is what the pieces of one text have in common.
type channel struct {
	choice int
	kind   llm.Kind
	tool   int
}

// A segment is a text of a response that a guard looks at: its end, with what
// went out before as context.
type segment struct {
	channel channel
	kind    SegmentKind
	text    []byte   // the context and what is not decided
	context int      // bytes
	pieces  []piece  // of what is not decided
	fresh   int      // bytes that no check has seen
	closed  bool     // nothing follows
	json    bool     // the text is JSON
	walk    jsonText // as far as walked
	walked  int      // bytes
	sofar   jsonText // up to the end of the text
	held    *held    // nil: there are no findings that wait
}

// A held is what the latest check found in text that waits for what follows.
type held struct {
	verdict  Verdict
	findings int
}

// A piece is the text of one event.
type piece struct {
	in      *passage
	event   int
	n       int  // bytes
	rewrite bool // the event's text is not the same any more
}

// grow adds the text of event i of a frame. Halves of a surrogate pair that come
// in two pieces become a character of the first: guards see characters, and
// nothing is cut inside one.
func (s *segment) grow(p *passage, i int, text string) {
	next := piece{in: p, event: i}
	if last := len(s.pieces) - 1; last >= 0 {
		if r, ok := pair(s.text, text); ok {
			s.text = utf8.AppendRune(s.text[:len(s.text)-halfSize], r)
			s.pieces[last].n += utf8.RuneLen(r) - halfSize
			s.pieces[last].rewrite = true
			text, next.rewrite = text[halfSize:], true
		}
	}
	next.n = len(text)
	s.text = append(s.text, text...)
	s.pieces = append(s.pieces, next)
	s.fresh += len(text)
	p.open++
	if s.json && !s.closed {
		s.sofar.run([]byte(text))
		s.closed = s.sofar.complete()
	}
}

// halfSize is the length of half a surrogate pair, see package jsonx.
const halfSize = 3

// high reports whether a text ends with the first half of a surrogate pair.
func high(text []byte) bool {
	n := len(text)
	return n >= halfSize && text[n-3] == 0xed && text[n-2]&0xf0 == 0xa0
}

// pair joins the half at the end of a text with the one at the start of the next.
func pair(text []byte, next string) (rune, bool) {
	n := len(text)
	if !high(text) || len(next) < halfSize || next[0] != 0xed || next[1]&0xf0 != 0xb0 {
		return 0, false
	}
	above := rune(text[n-2]&0x0f)<<6 | rune(text[n-1]&0x3f)
	return 0x10000 + above<<10 | rune(next[1]&0x0f)<<6 | rune(next[2]&0x3f), true
}

// decide lets go of the text in which no match can begin any more, with the
// findings in it redacted or not. hold is how much of the end may be the
// beginning of one, keep how much of what goes stays as context. It returns the
// number of findings in what went.
func (s *segment) decide(findings []Finding, hold, keep int, redact bool) (counted int, err error) {
	n, end := s.settled(findings, hold)
	if !redact {
		counted, findings = count(findings, s.context, end), nil
	}
	done, last := s.context, 0 // last: the end of the last redaction
	for i := range s.pieces[:n] {
		p := &s.pieces[i]
		begin := done
		done += p.n
		for len(findings) > 0 && findings[0].End <= begin { // a long text has many pieces, and many findings
			findings = findings[1:]
		}
		if p.in.open--; len(findings) == 0 && !p.rewrite {
			continue
		}
		text, hits, behind, err := s.redacted(findings, begin, done)
		if err != nil {
			return 0, err
		}
		counted, last = counted+hits, max(last, behind)
		if behind > 0 || p.rewrite {
			setText(&p.in.events[p.event], text)
			p.in.changed = true
		}
		if behind > 0 {
			p.in.redacted = append(p.in.redacted, p.event)
		}
	}
	s.walkTo(end)
	s.forget(n, end, max(last, end-keep, 0))
	return counted, nil
}

// settled returns how many pieces are decided, and where they end. It cuts
// neither a finding nor a character.
func (s *segment) settled(findings []Finding, hold int) (n, end int) {
	cut := len(s.text)
	if !s.closed {
		cut = max(cut-hold, 0)
	}
	for end = s.context; n < len(s.pieces) && end+s.pieces[n].n <= cut; n++ {
		end += s.pieces[n].n
	}
	if n == len(s.pieces) && n > 0 && !s.closed && high(s.text) {
		n, end = n-1, end-s.pieces[n-1].n
	}
	for _, f := range slices.Backward(findings) {
		for n > 0 && f.Start < end && end < f.End {
			n, end = n-1, end-s.pieces[n-1].n
		}
	}
	return n, end
}

// count is how many findings end between two places.
func count(findings []Finding, after, end int) (n int) {
	for _, f := range findings {
		if after < f.End && f.End <= end {
			n++
		}
	}
	return n
}

// redacted returns the text between two places, the borders of a piece, with the
// findings redacted, how many begin in it, and where in it the last one ends; 0:
// there is none.
func (s *segment) redacted(findings []Finding, begin, end int) (text []byte, hits, behind int, err error) {
	at := begin
	for _, f := range findings {
		start := max(f.Start, s.context) // what went out cannot be taken back
		if start >= end {
			break
		}
		if f.End <= begin {
			continue
		}
		if start >= begin {
			text = append(text, s.text[at:start]...)
			if text, err = s.replacement(text, &f, start); err != nil {
				return nil, 0, 0, err
			}
			hits++
		}
		at = min(f.End, end)
		behind = at
	}
	return append(text, s.text[at:end]...), hits, behind, nil
}

// replacement appends what stands for a finding. In JSON that has to be inside a
// string, or the JSON breaks.
func (s *segment) replacement(dst []byte, f *Finding, start int) ([]byte, error) {
	if !s.json {
		return append(dst, f.standIn()...), nil
	}
	s.walkTo(start)
	if at := s.walk; !at.inside() || !at.stays(s.text[start:f.End]) {
		return nil, errBreaksJSON
	}
	quoted := jsonx.AppendString(nil, f.standIn())
	return append(dst, quoted[1:len(quoted)-1]...), nil
}

var errBreaksJSON = errors.New("gateway: redaction breaks the JSON of a tool call, or of content that is JSON")

// walkTo follows the JSON up to a place, which is not before the last one.
func (s *segment) walkTo(at int) {
	if s.json {
		s.walk.run(s.text[s.walked:at])
		s.walked = at
	}
}

// forget drops the first n pieces, which end at end, and the text before from.
func (s *segment) forget(n, end, from int) {
	for from < end && !utf8.RuneStart(s.text[from]) {
		from++
	}
	s.pieces = slices.Delete(s.pieces, 0, n)
	s.text = append(s.text[:0], s.text[from:]...)
	s.context = end - from
	s.walked = s.context
}

// inSegment parts those of the findings that are in segment i from the rest, which
// are in later ones. Its text must have them, in order.
func inSegment(all []Finding, i int, s *segment) (findings, rest []Finding, err error) {
	n, last := 0, 0
	for ; n < len(all) && all[n].Segment == i; n++ {
		f := &all[n]
		if f.Start < last || f.End < f.Start || f.End > len(s.text) {
			return nil, nil, fmt.Errorf("gateway: finding %d-%d in a segment of %d bytes", f.Start, f.End, len(s.text))
		}
		last = f.End
	}
	return all[:n], all[n:], nil
}

// asideOf is the text of an event that has some beside the model's words.
func asideOf(e *llm.Event) (string, SegmentKind) {
	switch {
	case e.Kind == llm.EventFinish:
		return e.Text, SegmentText
	case e.Kind == llm.EventCitation && e.Citation != nil:
		return e.Citation.Quote, SegmentToolResult
	case e.Kind == llm.EventOther && e.Raw != nil:
		return string(e.Raw.JSON), SegmentToolResult
	}
	return "", SegmentText
}

// setText puts another text into an event.
func setText(e *llm.Event, text []byte) {
	switch e.Kind {
	case llm.EventCitation:
		c := *e.Citation
		c.Quote = string(text)
		e.Citation, e.Raw = &c, nil
	case llm.EventOther:
		e.Raw = &llm.Raw{Dialect: e.Raw.Dialect, JSON: text}
	default:
		e.Text = string(text)
	}
}
