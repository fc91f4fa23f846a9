package gateway

import (
	"context"
	"time"
)

// A Policy decides what may happen to a request. It is called by many
// goroutines at once.
type Policy interface {
	// Decide returns the decision about the facts. An error means that there is
	// none; the caller then refuses the request. It bounds its own time, and returns
	// soon after ctx ends.
	Decide(ctx context.Context, f *Facts) (Decision, error)

	// Reviews reports whether there are rules about requests that have ended.
	Reviews() bool

	// Review returns what those rules say about a request: f is that of the
	// decision, with its record. It bounds its own time.
	Review(ctx context.Context, f *Facts) (Review, error)

	// Reads reports whether the rules look at a fact, by its place in their
	// input, as request.tokens. A fact that nobody reads need not be found.
	Reads(fact string) bool

	// Revision names the rules that are in force.
	Revision() string
}

// A Guard looks at the text of a request before it leaves. It is called by many
// goroutines at once.
type Guard interface {
	// Name is the guard's name in configuration, records and errors.
	Name() string

	// Check returns the verdict on the text. An error means that there is none.
	// It returns soon after ctx ends.
	Check(ctx context.Context, t *Text) (Verdict, error)
}

// An Authenticator knows who calls.
type Authenticator interface {
	// Authenticate returns the owner of a key. An error is or wraps the *llm.Error
	// that the client gets: CodeMissingKey, CodeInvalidKey or CodeExpiredKey. What
	// one that wraps it says is for the record. It may wait for seconds if it has
	// to ask somebody, and no longer.
	Authenticate(key Secret, now time.Time) (Caller, error)
}

// A Sink takes the record of each exchange when it has ended. It must not wait
// for storage or a network, and must not change the record.
type Sink interface {
	Record(r *Record)
}

// A DecisionSink takes each decision of the policy when its exchange has ended. It
// must not wait for storage or a network.
type DecisionSink interface {
	Decided(d *Decided)
}

// A Witness is a Policy that can tell afterwards what a decision was made of.
type Witness interface {
	// Seen returns what the rules of an entry could see of the facts, as JSON: no
	// more than they read. nil: nothing.
	Seen(e Entry, f *Facts) ([]byte, error)

	// Place returns where a rule of a decision stands, as file:line; empty if
	// there is no such rule.
	Place(rule string) string

	// Labels are those that a rule of a decision has for its readers; nil: none.
	Labels(rule string) map[string]any
}
