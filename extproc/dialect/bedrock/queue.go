package bedrock

import (
	"slices"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A queue puts the events of a stream in an order in which one block comes
// after the other: formats that number their calls may interleave them. What
// belongs to others while a call is incomplete waits.
type queue struct {
	call    int // the call that is open, if busy
	args    jsonx.Pieces
	busy    bool
	waiting []llm.Event
	size    int // of waiting, in bytes
}

// maxQueue bounds what waits, in bytes, and blockCost is what an event counts
// beside its text.
const (
	maxQueue  = 8 << 20
	blockCost = 256
)

// push takes the next event of the content and calls write for those whose turn
// it is.
func (q *queue) push(e *llm.Event, write func(*llm.Event)) {
	if q.busy && !(e.Kind == llm.EventToolArgs && e.Tool == q.call) {
		if e.Kind == llm.EventBlockEnd && len(q.waiting) == 0 {
			q.busy = false
			write(e)
			return
		}
		q.waiting = append(q.waiting, *e)
		q.size += len(e.Text) + blockCost
		return
	}
	q.pass(e, write)
	q.drain(write)
}

// pass writes an event whose turn it is. Arguments of a call that is closed were
// complete; what may still come is white space.
func (q *queue) pass(e *llm.Event, write func(*llm.Event)) {
	switch e.Kind {
	case llm.EventToolStart:
		q.call, q.busy, q.args = e.Tool, true, jsonx.Pieces{}
	case llm.EventToolArgs:
		if !q.busy || e.Tool != q.call {
			return
		}
		if q.args.Add(e.Text); q.args.Complete() {
			defer func() { q.busy = false }()
		}
	}
	write(e)
}

// drain writes what waits as far as it may be written.
func (q *queue) drain(write func(*llm.Event)) {
	for !q.busy && len(q.waiting) > 0 {
		e := q.waiting[0]
		q.waiting = q.waiting[1:]
		q.size -= len(e.Text) + blockCost
		q.pass(&e, write)
		if e.Kind == llm.EventToolStart {
			q.gather(e.Tool, write)
		}
	}
}

// gather writes the arguments of a call that wait behind others.
func (q *queue) gather(call int, write func(*llm.Event)) {
	var args []llm.Event
	q.waiting = slices.DeleteFunc(q.waiting, func(e llm.Event) bool {
		mine := e.Kind == llm.EventToolArgs && e.Tool == call
		if mine {
			args = append(args, e)
		}
		return mine
	})
	for i := range args {
		q.size -= len(args[i].Text) + blockCost
		q.pass(&args[i], write)
	}
}

// flush writes all that waits: the stream has ended.
func (q *queue) flush(write func(*llm.Event)) {
	for len(q.waiting) > 0 {
		q.busy = false
		q.drain(write)
	}
}
