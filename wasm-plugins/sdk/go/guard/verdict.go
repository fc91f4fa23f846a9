package guard

import (
	"strconv"
	"unicode/utf8"
)

// An Action is what is to be done.
type Action uint8

// The actions, from the mildest to the strictest.
const (
	Allow Action = iota
	Redact
	Block
)

var actionNames = [...]string{"allow", "redact", "block"}

// A Span is a range of a segment: bytes of UTF-8, on rune borders.
type Span struct {
	Segment     uint32 // its ID
	Start, End  int
	Label       string
	Replacement string // empty: "[LABEL]"
}

// A Score is a finite number for the gateway's policy.
type Score struct {
	Name  string
	Value float64
}

// A Verdict is the result of a check. The gateway refuses one that is not well
// formed: spans must be sorted and must not overlap, and codes, labels and
// names of scores consist of letters, digits, dots, dashes and underscores.
type Verdict struct {
	Action  Action
	Code    string
	Message string // may reach the client; must not hold the checked text
	Spans   []Span
	Labels  []string
	Scores  []Score

	hold  int
	holds bool
}

// Reset makes the verdict Allow and keeps its memory.
func (v *Verdict) Reset() {
	*v = Verdict{Spans: v.Spans[:0], Labels: v.Labels[:0], Scores: v.Scores[:0]}
}

// Redact adds a span and asks for redaction, unless the verdict is to block.
func (v *Verdict) Redact(s Span) {
	v.Spans = append(v.Spans, s)
	v.Action = max(v.Action, Redact)
}

// Block asks for a refusal.
func (v *Verdict) Block(code, message string) {
	v.Action, v.Code, v.Message = Block, code, message
}

// Hold says that no more than n bytes at the end of the text can be the beginning
// of a match, so that the gateway need not hold back more. It is for streams.
func (v *Verdict) Hold(n int) { v.hold, v.holds = n, true }

// Label adds a label if the verdict does not have it.
func (v *Verdict) Label(label string) {
	for _, l := range v.Labels {
		if l == label {
			return
		}
	}
	v.Labels = append(v.Labels, label)
}

// Append appends the verdict as JSON.
func (v *Verdict) Append(b []byte) []byte {
	b = append(append(append(b, `{"action":"`...), actionNames[v.Action]...), '"')
	if v.Code != "" {
		b = appendString(append(b, `,"code":`...), v.Code)
	}
	if v.Message != "" {
		b = appendString(append(b, `,"message":`...), v.Message)
	}
	if len(v.Spans) > 0 {
		b = append(b, `,"spans":[`...)
		for i := range v.Spans {
			b = v.Spans[i].append(b)
		}
		b[len(b)-1] = ']'
	}
	if len(v.Labels) > 0 {
		b = append(b, `,"labels":[`...)
		for _, l := range v.Labels {
			b = append(appendString(b, l), ',')
		}
		b[len(b)-1] = ']'
	}
	if len(v.Scores) > 0 {
		b = append(b, `,"scores":{`...)
		for _, s := range v.Scores {
			b = append(appendString(b, s.Name), ':')
			b = append(strconv.AppendFloat(b, s.Value, 'g', -1, 64), ',')
		}
		b[len(b)-1] = '}'
	}
	if v.holds {
		b = strconv.AppendInt(append(b, `,"hold":`...), int64(v.hold), 10)
	}
	return append(b, '}')
}

// append appends the span and a comma.
func (s *Span) append(b []byte) []byte {
	b = strconv.AppendUint(append(b, '['), uint64(s.Segment), 10)
	b = strconv.AppendInt(append(b, ','), int64(s.Start), 10)
	b = strconv.AppendInt(append(b, ','), int64(s.End), 10)
	b = appendString(append(b, ','), s.Label)
	if s.Replacement != "" {
		b = appendString(append(b, ','), s.Replacement)
	}
	return append(b, ']', ',')
}

// appendString appends s as JSON (RFC 8259, section 7). What is not UTF-8
// becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < 0x20:
			b = append(b, `\u00`...)
			b = append(b, "0123456789abcdef"[r>>4], "0123456789abcdef"[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
