package gateway

import "github.com/attache-gateway/attache/extproc/llm"

// Text is what a guard sees of a request: canonical text, the same for every
// dialect.
type Text struct {
	RequestID string
	Model     string
	Tenant    string // a hash that is the same for the same team
	Segments  []Segment
}

// A SegmentKind says what a segment's text is.
type SegmentKind uint8

// The kinds of segments.
const (
	SegmentText SegmentKind = iota
	SegmentToolArgs
	SegmentToolResult
	SegmentImageRef
	SegmentSystem
)

// A Segment is one piece of text.
type Segment struct {
	Role llm.Role
	Kind SegmentKind
	Text string
}

// An Action is what a guard wants to be done.
type Action string

// The actions, from the mildest to the strictest.
const (
	ActionAllow  Action = "allow"
	ActionRedact Action = "redact"
	ActionBlock  Action = "block"
)

// ActionFailed stands in a record for a guard that gave no verdict.
const ActionFailed Action = "failed"

// A Verdict is a guard's result.
type Verdict struct {
	Action   Action
	Code     string
	Message  string // for the client; never the matched text
	Findings []Finding
	Labels   []string
	Scores   map[string]float64
}

// A Finding is a range of a segment: bytes of UTF-8, on rune borders. The
// findings of a verdict are sorted and do not overlap.
type Finding struct {
	Segment     int
	Start, End  int
	Label       string
	Replacement string // empty: "[LABEL]"
}
