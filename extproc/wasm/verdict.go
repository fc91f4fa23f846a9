package wasm

import (
	"unicode/utf8"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/gateway"
)

// Limits of a verdict, in bytes or entries.
const (
	maxVerdict     = 256 << 10
	maxName        = 64 // codes, labels, names of scores
	maxMessage     = 1024
	maxReplacement = 1024
	maxLabels      = 64 // labels, and scores
)

// A verdictReader reads the verdict of a guest. Everything in it is the guest's
// word: what the ABI does not allow is an error, and then nothing of it counts.
type verdictReader struct {
	json     jsonx.Reader
	segments []gateway.Segment
	verdict  gateway.Verdict
}

// read returns the verdict in b on the segments. Nothing of b is kept.
func (r *verdictReader) read(b []byte, segments []gateway.Segment) (gateway.Verdict, error) {
	r.json.Reset(b)
	r.segments, r.verdict = segments, gateway.Verdict{}
	defer func() { r.segments, r.verdict = nil, gateway.Verdict{} }()
	if err := r.json.Object(r.member); err != nil {
		return gateway.Verdict{}, err
	}
	if err := r.json.End(); err != nil {
		return gateway.Verdict{}, err
	}
	switch v := r.verdict; {
	case v.Action == "":
		return gateway.Verdict{}, r.json.Fail("action is missing")
	case v.Action == gateway.ActionRedact && len(v.Findings) == 0:
		return gateway.Verdict{}, r.json.Fail("redact without spans")
	default:
		return v, nil
	}
}

func (r *verdictReader) member(name []byte) (err error) {
	v := &r.verdict
	switch string(name) {
	case "action":
		v.Action, err = r.action()
	case "code":
		v.Code, err = r.name()
	case "message":
		v.Message, err = r.text(maxMessage)
	case "spans":
		err = r.json.Array(r.span)
	case "labels":
		err = r.json.Array(r.label)
	case "scores":
		v.Scores = make(map[string]float64)
		err = r.json.Object(r.score)
	case "hold":
		v.Holds = true
		v.Hold, err = r.count()
	default:
		err = r.json.Fail("unknown member")
	}
	return err
}

func (r *verdictReader) action() (gateway.Action, error) {
	b, err := r.json.StringBytes()
	if err != nil {
		return "", err
	}
	switch a := gateway.Action(b); a {
	case gateway.ActionAllow, gateway.ActionRedact, gateway.ActionBlock:
		return a, nil
	}
	return "", r.json.Fail("must be allow, block or redact")
}

// span reads [segment, start, end, "label", "replacement"]; the last is
// optional.
func (r *verdictReader) span(int) error {
	var f gateway.Finding
	n := 0
	err := r.json.Array(func(i int) (err error) {
		n++
		switch i {
		case 0:
			f.Segment, err = r.count()
		case 1:
			f.Start, err = r.count()
		case 2:
			f.End, err = r.count()
		case 3:
			f.Label, err = r.name()
		case 4:
			f.Replacement, err = r.text(maxReplacement)
		default:
			err = r.json.Fail("more than five entries")
		}
		return err
	})
	if err != nil {
		return err
	}
	if n < 4 {
		return r.json.Fail("must have four or five entries")
	}
	return r.find(f)
}

// find adds a finding if it is inside its segment, on rune borders and behind
// the one before.
func (r *verdictReader) find(f gateway.Finding) error {
	if f.Segment >= len(r.segments) {
		return r.json.Fail("no segment %d", f.Segment)
	}
	text := r.segments[f.Segment].Text
	switch {
	case f.Start >= f.End:
		return r.json.Fail("is empty or backwards")
	case f.End > len(text):
		return r.json.Fail("ends outside its segment")
	case !border(text, f.Start) || !border(text, f.End):
		return r.json.Fail("cuts a character")
	}
	if n := len(r.verdict.Findings); n > 0 {
		last := r.verdict.Findings[n-1]
		if f.Segment < last.Segment || f.Segment == last.Segment && f.Start < last.End {
			return r.json.Fail("is out of order or overlaps the one before")
		}
	}
	r.verdict.Findings = append(r.verdict.Findings, f)
	return nil
}

func border(text string, at int) bool { return at == len(text) || utf8.RuneStart(text[at]) }

func (r *verdictReader) label(i int) error {
	if i == maxLabels {
		return r.json.Fail("more than %d labels", maxLabels)
	}
	s, err := r.name()
	r.verdict.Labels = append(r.verdict.Labels, s)
	return err
}

func (r *verdictReader) score(name []byte) (err error) {
	if len(r.verdict.Scores) == maxLabels {
		return r.json.Fail("more than %d scores", maxLabels)
	}
	if !isName(name) {
		return r.json.Fail("is not a name")
	}
	r.verdict.Scores[string(name)], err = r.json.Float()
	return err
}

// count reads a whole number from 0 that an int can hold.
func (r *verdictReader) count() (int, error) {
	n, err := r.json.Int()
	if err == nil && (n < 0 || n > 1<<31-1) {
		return 0, r.json.Fail("is out of range")
	}
	return int(n), err
}

func (r *verdictReader) name() (string, error) {
	b, err := r.json.StringBytes()
	if err == nil && !isName(b) {
		return "", r.json.Fail("is not a name")
	}
	return string(b), err
}

// isName keeps names fit for metrics, rules and replacements.
func isName(b []byte) bool {
	for _, c := range b {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-') {
			return false
		}
	}
	return 0 < len(b) && len(b) <= maxName
}

func (r *verdictReader) text(limit int) (string, error) {
	b, err := r.json.StringBytes()
	if err == nil && (len(b) > limit || !utf8.Valid(b)) {
		return "", r.json.Fail("is longer than %d bytes or not UTF-8", limit)
	}
	return string(b), err
}
