package gateway

import (
	"fmt"
	"strconv"
	"time"

	"github.com/attache-gateway/attache/extproc/llm"
)

// ruleLimit begins what records call a limit that has no name: its rule's id follows.
// No name has a colon.
const ruleLimit = "rule:"

// name is what records call the limit: by its name, or by the rule that says the
// figure that is reached.
func (s *refusedBy) name() string {
	if s.Name != "" {
		return s.Name
	}
	switch s.Measure {
	case MeasureRequests:
		return ruleLimit + s.By.Requests
	case MeasureTokens:
		return ruleLimit + s.By.Tokens
	case MeasureCost:
		return ruleLimit + s.By.CostNano
	}
	return ruleLimit + s.By.Concurrent
}

// title is how messages call the limit. A rule's without a name is told by what it
// is for: clients do not know rules.
func (l *Limit) title() string {
	switch {
	case l.Name == "":
		return "the policy's limit per " + l.Per
	case l.Own:
		return "the policy's limit " + l.Name
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
	what := s.reached()
	switch {
	case s.Measure == MeasureConcurrent:
	case s.Retry == 0:
		what += "; this request alone needs more"
	case s.Window != "":
		what += "; it starts anew at " + s.resets.Format(time.RFC3339)
	}
	return what
}

// reached says which limit it is. How much money one that has a name allows is left
// unsaid.
func (s *refusedBy) reached() string {
	most := s.most()
	switch {
	case s.Name == "":
		return "the policy's limit of " + most + " is reached"
	case s.Measure == MeasureCost:
		return s.title() + " is spent"
	}
	return s.title() + " is reached: " + most
}

// most says how much of what the limit allows, to whom and for how long.
func (s *refusedBy) most() string {
	switch s.Measure {
	case MeasureConcurrent:
		return fmt.Sprintf("%s at a time per %s", several(s.Concurrent, "request"), s.Per)
	case MeasureCost:
		return fmt.Sprintf("%s dollars per %s %s", strconv.FormatFloat(float64(s.CostNano)/1e9, 'f', -1, 64), s.Per, s.Span())
	case MeasureRequests:
		return fmt.Sprintf("%s per %s %s", several(s.Requests, "request"), s.Per, s.Span())
	}
	return fmt.Sprintf("%s per %s %s", several(s.Tokens, "token"), s.Per, s.Span())
}

func several(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Span says what stretch of time the limit is for: a minute, a month, in 90 seconds.
// A limit of concurrent requests alone has none.
func (l *Limit) Span() string {
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
