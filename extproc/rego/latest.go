package rego

import "sync/atomic"

// A latest keeps a value of late for the next request, which often has the same.
type latest[T any] struct {
	atomic.Pointer[T]
	misses atomic.Uint32
}

// due reports whether a value that was not the one that is kept is to be kept
// instead. It is now and then only: where each is another one, keeping it costs
// and saves nothing.
func (l *latest[T]) due() bool { return l.misses.Add(1)%8 == 1 }
