package cli

import (
	"errors"
	"net/http"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
	"github.com/attache-gateway/attache/extproc/shadow"
)

// A policyView is what GET /api/policy shows.
type policyView struct {
	Revision  string         `json:"revision"` // in force; empty: there are no rules
	State     string         `json:"state"`
	Source    string         `json:"source,omitempty"`
	Fetch     string         `json:"fetch_error,omitempty"` // why the latest look for the bundle gave none
	Since     time.Time      `json:"since"`
	Warnings  []string       `json:"warnings,omitempty"`
	Load      loading        `json:"load"`
	Candidate *candidateView `json:"candidate,omitempty"`
	Shadow    *shadow.Report `json:"shadow,omitempty"`
}

type candidateView struct {
	Revision       string   `json:"revision,omitempty"` // absent: it is refused
	Source         string   `json:"source"`
	Error          string   `json:"error,omitempty"`
	Fetch          string   `json:"fetch_error,omitempty"`
	Warnings       []string `json:"warnings,omitempty"`
	SharePermille  int64    `json:"share_permille"`
	CanaryPermille int64    `json:"canary_permille"`
	CanaryBy       string   `json:"canary_by,omitempty"`
}

// The states of a policy.
const (
	stateNone     = "none"      // there are no rules
	stateGood     = "good"      // the rules of the configuration are in force
	stateLastGood = "last_good" // those that were loaded last, before the start
	statePromoted = "promoted"  // a candidate is
)

func (s *ruleSet) state() string {
	switch {
	case s.live == nil:
		return stateNone
	case s.promotion != nil:
		return statePromoted
	case s.stale != nil:
		return stateLastGood
	}
	return stateGood
}

// judgesAdmins reports whether there are rules about calls of the admin API.
func (s *ruleSet) judgesAdmins() bool { return s.live != nil && s.live.Admits() }

func (h *policyHistory) lastLoad() loading {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

func (s *service) showPolicy(w http.ResponseWriter, _ *http.Request) {
	r := s.policies.inForce()
	v := policyView{State: r.state(), Source: r.config.Source.String(), Since: r.since, Load: s.policies.lastLoad()}
	if r.live != nil {
		v.Revision, v.Warnings = r.live.Revision(), r.live.Warnings()
	}
	v.Fetch = s.policies.fetched.trouble(r.config.Bundle)
	if !r.config.Shadow.Empty() {
		v.Candidate = r.candidateView()
		v.Candidate.Fetch = s.policies.fetched.trouble(r.config.Shadow.Bundle)
	}
	if r.pair != nil {
		report := r.pair.Report()
		v.Shadow = &report
	}
	reply(w, http.StatusOK, v)
}

func (s *ruleSet) candidateView() *candidateView {
	v := &candidateView{Source: s.config.Shadow.Source.String(), SharePermille: s.config.Shadow.Permille, CanaryPermille: s.config.Canary.Permille}
	if v.CanaryPermille > 0 {
		v.CanaryBy = s.config.Canary.By
	}
	if s.refused != nil {
		v.Error = s.refused.Error()
	}
	if s.candidate != nil {
		v.Revision, v.Warnings = s.candidate.Revision(), s.candidate.Warnings()
	}
	return v
}

// promotePolicy puts the candidate in force. With a query revision=R only if it
// is that one, so that nobody promotes what he has not looked at.
func (s *service) promotePolicy(w http.ResponseWriter, r *http.Request) {
	before, after, err := s.promote(r.Context(), r.URL.Query().Get("revision"))
	switch {
	case errors.Is(err, errNoCandidate):
		refuse(w, http.StatusConflict, "no_candidate", err.Error())
	case errors.Is(err, errOtherCandidate):
		refuse(w, http.StatusConflict, "other_candidate", err.Error())
	case err != nil:
		s.log.Error("the candidate of the policy is not promoted", "error", err)
		refuse(w, http.StatusInternalServerError, llm.CodeInternal, "the candidate could not be promoted; the log says why")
	default:
		caller, _ := r.Context().Value(callerKey{}).(gateway.Caller)
		s.log.Warn("the candidate of the policy was promoted", "policy", after, "before", before, "key", caller.KeyID, "user", caller.User, "address", r.RemoteAddr)
		reply(w, http.StatusOK, map[string]string{"revision": after, "before": before})
	}
}
