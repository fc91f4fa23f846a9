// Package guard is the SDK for guards written in Go: WebAssembly modules of the
// ABI attache.guard.v1 (wasm-plugins/ABI.md).
//
// A plugin is a main package that registers itself:
//
//	func init() { guard.Register(nil, check) }
//
//	func main() {}
//
//	func check(in *guard.Input, v *guard.Verdict) {
//		for _, s := range in.Segments {
//			if at := bytes.Index(s.Text, []byte("secret")); at >= 0 {
//				v.Redact(guard.Span{Segment: s.ID, Start: at, End: at + 6, Label: "secret"})
//			}
//		}
//	}
//
// It is built with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags='-s -w' -o my.wasm
//
// On any other platform the package does the same without exports, so that a
// plugin's tests run natively. It leaves out fmt, encoding/json and reflect,
// which would add a megabyte to each plugin.
package guard

import "strconv"

// A Phase says when a check takes place.
type Phase uint16

// The phases.
const (
	Request  Phase = 1
	Response Phase = 2
	Stream   Phase = 3
)

// A Role says who speaks.
type Role uint8

// The roles. A role that is not among them is RoleOther.
const (
	RoleOther Role = iota
	RoleSystem
	RoleUser
	RoleAssistant
)

// A Kind says what a segment's text is.
type Kind uint8

// The kinds of segments.
const (
	Text Kind = iota
	ToolArgs
	ToolResult
	ImageRef
	System
)

// The flags of an Input.
const (
	FlagLast uint16 = 1 // no text follows
	FlagSeen uint16 = 2 // the first bytes went out already; they are context
)

// A Segment is one piece of text.
type Segment struct {
	ID   uint32
	Role Role
	Kind Kind
	Text []byte // as good as always UTF-8; valid until the check returns
}

// An Input is what is to be checked.
type Input struct {
	Phase    Phase
	Flags    uint16
	Meta     []byte // small JSON: model, request_id, tenant_hash
	Segments []Segment
}

// The two functions of a plugin.
type (
	// ConfigureFunc takes the plugin's configuration, which is JSON and {} if
	// there is none. An error stops the gateway from using the plugin.
	ConfigureFunc func(config []byte) error

	// CheckFunc fills in the verdict, which is Allow when it is called.
	CheckFunc func(in *Input, v *Verdict)
)

var (
	configureFunc ConfigureFunc
	checkFunc     CheckFunc
)

// Register sets the functions of the plugin. It is called from an init function,
// since main does not run in a guard. Configure may be nil.
func Register(configure ConfigureFunc, check CheckFunc) {
	configureFunc, checkFunc = configure, check
}

// MaxMatch says how long the longest text is that the plugin looks for in one
// piece, in bytes. Of a stream the gateway holds back that many: they are what a
// client waits for. It is called from an init function.
func MaxMatch(n int) { maxMatch = n }

var maxMatch int // 0: not said

// manifest is what the plugin says about itself, as JSON.
func manifest() []byte {
	if maxMatch == 0 {
		return []byte("{}")
	}
	return append(strconv.AppendInt([]byte(`{"max_match_bytes":`), int64(maxMatch), 10), '}')
}

var (
	input   Input
	verdict Verdict
	output  []byte
)

// check runs the registered function on a frame and returns the verdict as
// JSON, valid until the next call. It panics, and so traps, on a frame that no
// host makes.
func check(frame []byte) []byte {
	if err := input.Decode(frame); err != nil {
		panic(err)
	}
	verdict.Reset()
	checkFunc(&input, &verdict)
	output = verdict.Append(output[:0])
	return output
}

// configure runs the registered function and returns the text of its error.
func configure(config []byte) []byte {
	if configureFunc == nil {
		return nil
	}
	if err := configureFunc(config); err != nil {
		return []byte(err.Error())
	}
	return nil
}
