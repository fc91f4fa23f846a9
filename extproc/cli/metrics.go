package cli

import (
	"time"

	"github.com/attache-gateway/attache/extproc/config"
	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/shadow"
	"github.com/attache-gateway/attache/extproc/telemetry"
)

// sinks take the records of exchanges.
func (s *service) sinks() []gateway.Sink {
	all := []gateway.Sink{s.ledger, recordLog{s.log}, s.counting}
	if s.measured {
		all = append(all, s.metrics)
	}
	return all
}

// loaded notes what was put in force.
func (s *service) loaded(c *config.Config, g *gateway.Gateway, rules *ruleSet) {
	s.counting.put(boundsOf(c), rules.live)
	s.answers.put()
	s.metrics.Configured(g.Configured())
	s.metrics.ConfigLoaded(nil)
	s.metrics.PolicyLoaded(rules.stale)
}

// state is what the metrics show of what others count.
func (s *service) state() telemetry.State {
	v := telemetry.State{
		Streams:     s.stream.Open(),
		Targets:     s.health.States(time.Now()),
		RecordsLost: s.ledger.Lost(),
		Answers:     s.answers.state(),
		AlertsLost:  s.counting.alerts.Lost(),
		Crowded:     s.counting.store.Crowded(),
		Limits:      s.counting.states(time.Now()),
	}
	if s.decisions.Decisions != nil {
		v.DecisionsLost, v.DecisionsUnsent = s.decisions.Lost()
	}
	for _, c := range s.creds.Load().States() {
		v.Credentials = append(v.Credentials, telemetry.Credential(c))
	}
	for _, k := range s.issuers.States() {
		v.KeyServers = append(v.KeyServers, telemetry.KeyServer(k))
	}
	rules := s.policies.inForce()
	if rules.live != nil {
		v.Revision, v.Since, v.Cache = rules.live.Revision(), rules.since, telemetry.Cache(rules.live.Cache())
	}
	if rules.pair != nil {
		v.Shadow = shadowOf(rules.pair.Report())
	}
	return v
}

// refusals are the differences that are about more than what one verb says.
var refusals = map[shadow.Kind]telemetry.Difference{
	shadow.NewError:    {Effect: "error", Sign: "added"},
	shadow.ErrorGone:   {Effect: "error", Sign: "gone"},
	shadow.NewDeny:     {Effect: "deny", Sign: "added"},
	shadow.DenyGone:    {Effect: "deny", Sign: "gone"},
	shadow.DenyChanged: {Effect: "deny", Sign: "changed"},
}

func shadowOf(r shadow.Report) *telemetry.Shadow {
	s := &telemetry.Shadow{Candidate: r.Candidate, Compared: r.Compared, Dropped: r.Dropped}
	for kind, n := range r.Kinds {
		d, ok := refusals[kind]
		if !ok {
			d = telemetry.Difference{Effect: string(kind), Sign: "changed"}
		}
		d.Count = n
		s.Differences = append(s.Differences, d)
	}
	return s
}
