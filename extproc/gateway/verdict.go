package gateway

import (
	"strings"

	"github.com/attache-gateway/attache/extproc/llm"
)

// Text is what a guard sees of a request or a response: canonical text, the same
// for every dialect.
type Text struct {
	Phase     Phase
	More      bool // text follows: of a stream, whose text is seen in pieces
	Seen      bool // of a stream: the first bytes were seen before
	RequestID string
	Model     string
	Tenant    string // a hash that is the same for the same team
	Segments  []Segment
}

// A Phase says what a guard looks at.
type Phase uint8

// The phases.
const (
	PhaseRequest  Phase = iota
	PhaseResponse       // whole
	PhaseStream         // one text of it, as far as it has come
)

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

	Holds bool // of a stream: Hold is said
	Hold  int  // bytes at the end of the text that may be the beginning of a match
}

// A Finding is a range of a segment: bytes of UTF-8, on rune borders. The
// findings of a verdict are sorted and do not overlap.
type Finding struct {
	Segment     int
	Start, End  int
	Label       string
	Replacement string // empty: "[LABEL]"
}

// standIn is what stands in the text instead of the finding.
func (f *Finding) standIn() string {
	if f.Replacement != "" {
		return f.Replacement
	}
	return "[" + strings.ToUpper(f.Label) + "]"
}

// strictness orders actions.
var strictness = map[Action]int{"": 0, ActionAllow: 1, ActionRedact: 2, ActionFailed: 3, ActionBlock: 4}

func stricter(a, b Action) bool { return strictness[a] > strictness[b] }
