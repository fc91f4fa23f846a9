package dialect

import (
	"slices"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A Reporter is an Encoder that tells what it left out of a response.
type Reporter interface {
	// Warnings names what was left out so far, each with its reason.
	Warnings() []string
}

// A Report collects what of a response a dialect has no place for. Of a unary
// response the client is told in a header; when a stream is written its headers
// are gone, and it stands in the record alone.
type Report struct {
	API  string // as in Notes
	list []string
}

// Warnings names what was left out so far, each with its reason.
func (r *Report) Warnings() []string { return r.list }

// Lose notes once that content of a type was left out.
func (r *Report) Lose(what string) {
	if w := what + ": left out of the answer: " + r.API + " has no place for it"; !slices.Contains(r.list, w) && len(r.list) < maxLost {
		r.list = append(r.list, w)
	}
}

// maxLost bounds the list: types are named by providers.
const maxLost = 32

// Own returns the JSON of content that was written in a dialect, nil if it was
// written in another.
func Own(e *llm.Event, dialect string) []byte {
	if e.Raw == nil || e.Raw.Dialect != dialect {
		return nil
	}
	return e.Raw.JSON
}
