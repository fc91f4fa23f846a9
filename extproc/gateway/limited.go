package gateway

import (
	"fmt"
	"time"

	"github.com/attache-gateway/attache/extproc/llm"
)

// PolicyLimit is the name of limits that rules set, in records.
const PolicyLimit = "policy"

// name is the limit's in records.
func (l *Limit) name() string {
	if l.Name == "" {
		return PolicyLimit
	}
	return l.Name
}

// title is how messages call the limit.
func (l *Limit) title() string {
	switch {
	case l.Name == "":
		return "a limit of the policy"
	case l.CostNano >= 0:
		return "the budget " + l.Name
	}
	return "the limit " + l.Name
}

// quota reports whether it is an allotment that is used up, which who has spent it
// need not ask for soon again: money, or anything of a calendar window.
func (s *refusedBy) quota() bool { return s.Window != "" || s.Measure == MeasureCost }

// code is that of the client's error, and of the record.
func (s *refusedBy) code() string {
	if s.quota() {
		return llm.CodeQuota
	}
	return llm.CodeRateLimited
}

// limited refuses the request for want of room.
func (x *Exchange) limited(s *refusedBy) *llm.Answer {
	x.record.Limit = s.name()
	e := &llm.Error{Status: 429, Code: s.code(), Message: s.message()}
	if !s.quota() {
		e.RetryAfter = s.Retry
		if s.Measure == MeasureConcurrent {
			e.RetryAfter = time.Second // nobody knows
		}
	}
	return x.refuse(e)
}

// message says which limit it is and when there is room, and nothing of what others
// use.
func (s *refusedBy) message() string {
	what := s.title()
	switch s.Measure {
	case MeasureConcurrent:
		return fmt.Sprintf("%s is reached: %s at a time per %s", what, several(s.Concurrent, "request"), s.Per)
	case MeasureCost:
		what += " is spent"
	case MeasureRequests:
		what = fmt.Sprintf("%s is reached: %s per %s %s", what, several(s.Requests, "request"), s.Per, s.window())
	default:
		what = fmt.Sprintf("%s is reached: %s per %s %s", what, several(s.Tokens, "token"), s.Per, s.window())
	}
	switch {
	case s.Retry == 0:
		return what + "; this request alone needs more"
	case s.Window != "":
		return what + "; it starts anew at " + s.resets.Format(time.RFC3339)
	}
	return what
}

func several(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// window says what stretch of time the limit is for.
func (l *Limit) window() string {
	switch {
	case l.Window != "":
		return "a " + l.Window
	case l.WindowS == 60:
		return "a minute"
	case l.WindowS == 1:
		return "a second"
	case l.WindowS == 3600:
		return "an hour"
	}
	return fmt.Sprintf("in %d seconds", l.WindowS)
}
