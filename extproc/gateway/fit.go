package gateway

import (
	"fmt"

	"github.com/attache-gateway/attache/extproc/llm"
	"github.com/attache-gateway/attache/extproc/tokens"
)

// takers leaves out the targets that are known not to take the kinds of media
// in a request.
func (x *Exchange) takers(r *llm.Request, targets []*target) ([]*target, *llm.Error) {
	m := mediaOf(r)
	if m == (media{}) {
		return targets, nil
	}
	var refused string
	kept := targets[:0]
	for _, t := range targets {
		kind := t.refuses(m)
		if kind == "" {
			kept = append(kept, t)
			continue
		}
		refused = kind
		x.leaveOut(t, "it takes no "+kind)
	}
	if len(kept) == 0 {
		return nil, llm.Unsupported("messages", "no target of this model takes %s", refused)
	}
	return kept, nil
}

func (t *target) refuses(m media) string {
	switch {
	case m.images > 0 && t.rules.NoImages:
		return "images"
	case m.audios > 0 && t.rules.NoAudio:
		return "audio"
	case m.files > 0 && t.rules.NoFiles:
		return "files"
	}
	return ""
}

// small marks the targets whose context the input does not fit in, by our
// count. That is an error only where it is certain, for all targets.
func (x *Exchange) small(r *llm.Request, targets []*target) (marks []bool, err *llm.Error) {
	if r.Op != llm.OpChat {
		return nil, nil
	}
	certain := 0
	var largest int64
	for i, t := range targets {
		// A token has a byte at least, and what messages count besides their
		// text is less than the JSON around it.
		if t.rules.Context == 0 || int64(len(r.Body.Raw)) <= t.rules.Context || x.input(r) <= t.rules.Context {
			continue
		}
		if marks == nil {
			marks = make([]bool, len(targets))
		}
		marks[i] = true
		largest = max(largest, t.rules.Context)
		if exact(r, t) {
			certain++
		}
	}
	if certain < len(targets) {
		return marks, nil
	}
	return nil, &llm.Error{Status: 400, Code: llm.CodeContextLength, Param: "messages",
		Message: fmt.Sprintf("prompt is too long: %d tokens > %d maximum", x.input(r), largest)}
}

// input returns our own count of a request's input, in tokens.
func (x *Exchange) input(r *llm.Request) int64 {
	if r.InputEstimate == 0 {
		r.InputEstimate = inputTokens(r, false)
	}
	return r.InputEstimate
}

// exact reports whether our count of a request is the target's: of text, by the
// encoding of its own.
func exact(r *llm.Request, t *target) bool {
	return mediaOf(r) == (media{}) && len(r.Tools) == 0 && tokens.Exact(t.model) && tokens.ForModel(t.model) == tokens.ForModel(r.Model)
}
