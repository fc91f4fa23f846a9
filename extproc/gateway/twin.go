package gateway

import (
	"slices"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// followed readies a response in which the client's encoder may have to go on where
// the provider's own bytes end.
func (x *Exchange) followed(r *response) {
	switch {
	case r.enc != nil || r.twin != nil:
	case x.front.dialect == llm.Responses && r.mode == ModeStream:
		r.enc = x.wire.NewEncoder(r.req) // its events are numbered and its items named: nobody can go on there
	default:
		r.twin = x.wire.NewEncoder(r.req)
	}
}

// follow tells the twin what goes out in the provider's bytes. In Gemini's format
// each event of a stream stands alone, and its encoder is an event behind: that
// one needs to know the beginning and nothing else.
func (r *response) follow(events []llm.Event) (err error) {
	if r.Dialect == llm.Gemini && r.mode == ModeStream {
		i := slices.IndexFunc(events, func(e llm.Event) bool { return e.Kind == llm.EventStart })
		if i < 0 {
			return nil
		}
		events = events[i : i+1]
	}
	r.shadow, err = r.twin.Encode(r.shadow[:0], events)
	return err
}

// maxMute bounds the bytes that wait, see waits.
const maxMute = 8 << 20

// waits holds back the provider's bytes that say nothing, until it is certain who
// goes on. In Anthropic's format a block begins with such, and the twin begins a
// block itself when there is something in it.
func (r *response) waits(f dialect.Frame) bool {
	if r.twin == nil || r.mode != ModeStream {
		return false
	}
	silent := len(f.Events) == 0 || len(r.mute) > 0 && onlyPings(f.Events)
	if silent && len(r.mute)+len(f.Raw) <= maxMute {
		r.mute = append(r.mute, f.Raw...)
		return true
	}
	r.out = append(r.out, r.mute...)
	r.mute = r.mute[:0]
	return false
}
