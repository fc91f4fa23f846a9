package dialect

import "github.com/attache-gateway/attache/extproc/llm"

// A Whole collects a body that can only be read in one piece.
type Whole struct {
	Limit int // bytes
	held  []byte
}

// Add takes the next chunk and, with the last one, returns the body. It is the
// chunk itself where there is only one.
func (w *Whole) Add(chunk []byte, eos bool) ([]byte, error) {
	if len(w.held)+len(chunk) > w.Limit {
		return nil, TooLarge()
	}
	if eos && len(w.held) == 0 {
		return chunk, nil
	}
	w.held = append(w.held, chunk...)
	return w.held, nil
}

// Read takes the next chunk. The last one makes the body whole, which is one
// frame; read appends to events what it says. What cannot be read is an *llm.Error.
func (w *Whole) Read(dialect string, chunk []byte, eos bool, events *[]llm.Event, read func(body []byte) error) ([]Frame, error) {
	body, err := w.Add(chunk, eos)
	if err != nil || !eos {
		return nil, err
	}
	if err := read(body); err != nil {
		return nil, NotValid(dialect)
	}
	return []Frame{{Raw: body, Events: *events}}, nil
}

// TooLarge is the error for a response, or one event of it, over the limit.
func TooLarge() *llm.Error {
	return &llm.Error{Status: 502, Code: llm.CodeUpstreamError, Message: "the provider's response is too large"}
}

// NotValid is the error for a response that is not of a dialect.
func NotValid(dialect string) *llm.Error {
	return &llm.Error{Status: 502, Code: llm.CodeUpstreamError, Message: "the provider's response is not valid " + dialect}
}
