package shadow

import (
	"reflect"
	"slices"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A Kind is a way in which a candidate decides otherwise.
type Kind string

// The kinds. If one of the two refuses, what else it says does not matter.
const (
	NewError    Kind = "new_error"    // the candidate fails, the policy in force does not
	ErrorGone   Kind = "error_gone"   // the other way round
	NewDeny     Kind = "new_deny"     // the candidate refuses
	DenyGone    Kind = "deny_gone"    // it does not, and the policy in force does
	DenyChanged Kind = "deny_changed" // both refuse, with another code, status, message or time to wait

	Route  Kind = "route"
	Modify Kind = "modify"
	Header Kind = "header"
	Guard  Kind = "guard"
	Limit  Kind = "limit"
	Cache  Kind = "cache"
	Log    Kind = "log"
	Label  Kind = "label"
)

// differences are the kinds of all there is between two decisions. Which rules
// took part makes none.
func differences(live *gateway.Decision, liveErr error, candidate *gateway.Decision, err error) (kinds []Kind) {
	switch {
	case liveErr != nil && err != nil:
		return nil
	case err != nil:
		return []Kind{NewError}
	case liveErr != nil:
		return []Kind{ErrorGone}
	case live.Deny == nil && candidate.Deny != nil:
		return []Kind{NewDeny}
	case live.Deny != nil && candidate.Deny == nil:
		return []Kind{DenyGone}
	case live.Deny != nil:
		a, b := *live.Deny, *candidate.Deny
		if a.Rule, b.Rule = "", ""; a != b {
			return []Kind{DenyChanged}
		}
		return nil
	}
	a, b := parts(live), parts(candidate)
	for i := range a {
		if !reflect.DeepEqual(a[i].value, b[i].value) {
			kinds = append(kinds, a[i].kind)
		}
	}
	return kinds
}

// A part is what one verb contributes to a decision.
type part struct {
	kind  Kind
	value any
}

// A route is what the verb route says.
type route struct {
	Require      []gateway.Condition
	Exclude      []gateway.Condition
	Chain        []string
	TimeoutMS    int64
	FirstTokenMS int64
	Prefer       []gateway.Preference
	Split        *gateway.Split
	Pick         string
}

// guards are the effects of guard rules.
type guards struct {
	Input  []string
	Output []string
}

func parts(d *gateway.Decision) []part {
	return []part{
		{Route, route{d.Require, d.Exclude, d.Chain, d.TimeoutMS, d.FirstTokenMS, d.Prefer, d.Split, d.Pick}},
		{Modify, d.Modify},
		{Header, d.Headers},
		{Guard, guards{d.Guards, d.OutputGuards}},
		{Limit, unsaid(d.Limits)},
		{Cache, d.Cache},
		{Log, d.Log},
		{Label, d.Labels},
	}
}

// unsaid are limits without who says them: rules of another file, or of another id,
// may say the same.
func unsaid(limits []gateway.Limit) []gateway.Limit {
	limits = slices.Clone(limits)
	for i := range limits {
		limits[i].By = gateway.Says{}
	}
	return limits
}
