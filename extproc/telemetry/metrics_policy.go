package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

// decided are the metrics of the policy's decisions, from the records.
type decided struct {
	decisions *family[decisionKey, prometheus.Counter]
	took      prometheus.Observer
	faults    *family[faultKey, prometheus.Counter]
}

type decisionKey struct{ result, code string }

type faultKey struct {
	fault gateway.Fault
	rule  string
}

// What a decision can be.
const (
	resultAllow = "allow"
	resultDeny  = "deny"
	resultError = "error"
)

// The most series of each metric, without those that end in other.
const (
	maxDecisions = 200
	maxFaults    = 200
)

func newDecided(r prometheus.Registerer) decided {
	decisions := counters(r, "attache_policy_decisions_total", "Decisions about requests. result: allow, deny or error. code: of the denial or error, empty if allowed.", "result", "code")
	took := histograms(r, "attache_policy_decision_seconds", "Time that decisions took, cached ones included.", ruleBuckets)
	faults := counters(r, "attache_policy_errors_total", "Failures of the policy. kind: deadline, builtin, conflict, decode (an effect that is malformed or cannot be carried out), cancelled (the client has gone) or other. rule: file:line, with the rule's id in parentheses if it has one, empty if not known; which rule was too slow is looked for once a minute, and in between it is the one that was found last.", "kind", "rule")
	return decided{
		decisions: newFamily(maxDecisions,
			func(k decisionKey) decisionKey { return decisionKey{k.result, other} },
			func(k decisionKey) prometheus.Counter {
				return decisions.WithLabelValues(k.result, labelOf(k.code))
			}),
		took: took.WithLabelValues(),
		faults: newFamily(maxFaults,
			func(k faultKey) faultKey { return faultKey{k.fault, other} },
			func(k faultKey) prometheus.Counter { return faults.WithLabelValues(string(k.fault), labelOf(k.rule)) }),
	}
}

func (d *decided) count(r *gateway.Record) {
	p := &r.Policy
	if p.Fault != "" {
		d.faults.get(faultKey{p.Fault, p.Rule}).Inc()
	}
	if !p.Asked {
		return
	}
	d.took.Observe(p.Took.Seconds())
	switch {
	case r.Code == llm.CodePolicyError:
		d.decisions.get(decisionKey{resultError, r.Code}).Inc()
	case p.Denied:
		d.decisions.get(decisionKey{resultDeny, r.Code}).Inc()
	default:
		d.decisions.get(decisionKey{resultAllow, ""}).Inc()
	}
}

// loads are the metrics of what is read anew while the gateway runs.
type loads struct {
	policies, configs load
	missed            *prometheus.CounterVec // by kind
}

// A load counts how often something was put in force or refused.
type load struct {
	good, failed prometheus.Counter
	broken, last prometheus.Gauge
}

func newLoads(r prometheus.Registerer) loads {
	return loads{
		missed:   counters(r, "attache_policy_fetch_errors_total", "Looks for a newer bundle of rules that failed. What is in force stays. kind: unreachable, denied (other credentials are wanted), missing, status (another error of the server) or invalid (too large, or not what it says).", "kind"),
		policies: newLoad(r, "attache_policy", "Sets of rules that were loaded, the first one included. result: good or failed."),
		configs:  newLoad(r, "attache_config", "Configurations that were read, the first one included. result: good or failed."),
	}
}

func newLoad(r prometheus.Registerer, prefix, help string) load {
	total := counters(r, prefix+"_loads_total", help, "result")
	l := load{
		good: total.WithLabelValues("good"), failed: total.WithLabelValues("failed"),
		broken: prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + "_load_failed", Help: "1 if the latest load failed, and what was in force before still is; else 0."}),
		last:   prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + "_last_load_timestamp_seconds", Help: "When the latest load that was good ended, in Unix time."}),
	}
	r.MustRegister(l.broken, l.last)
	return l
}

func (l *load) note(err error) {
	if err != nil {
		l.failed.Inc()
		l.broken.Set(1)
		return
	}
	l.good.Inc()
	l.broken.Set(0)
	l.last.SetToCurrentTime()
}

// PolicyLoaded counts rules that were loaded, or refused for an error.
func (m *Metrics) PolicyLoaded(err error) { m.policies.note(err) }

// PolicyMissed counts a look for a newer bundle that failed, by one of a few kinds.
func (m *Metrics) PolicyMissed(kind string) { m.missed.WithLabelValues(kind).Inc() }

// ConfigLoaded counts a configuration that was put in force, or refused for an
// error.
func (m *Metrics) ConfigLoaded(err error) { m.configs.note(err) }
