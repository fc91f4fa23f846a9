package telemetry

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A State is what others count. It is asked for whenever metrics are read.
type State struct {
	Revision    string    // of the policy in force; empty: there is none
	Since       time.Time // when it was put in force
	Cache       Cache
	Answers     *Answers // nil: no responses are kept
	Shadow      *Shadow  // nil: there is none
	Streams     int64    // open exchanges
	Targets     []gateway.TargetState
	Credentials []Credential
	KeyServers  []KeyServer
	Limits      []LimitState

	RecordsLost     int64 // by the ledger
	AlertsLost      int64 // of budgets
	Crowded         int64 // requests that were counted with those of others
	DecisionsLost   int64 // by the file of the log of decisions
	DecisionsUnsent int64 // by its collector
}

// A Cache is how the cache of decisions does since the policy was loaded.
type Cache struct {
	On                        bool
	Hits, Misses, Differences int64
}

// Answers are what the cache of responses holds.
type Answers struct {
	Entries, Bytes int64
	Evicted        int64 // entries that made room, since the configuration says this size
}

// A Shadow is what was found of a candidate so far.
type Shadow struct {
	Candidate         string // revision
	Compared, Dropped int64
	Differences       []Difference
}

// A Difference is how often a candidate decided otherwise in one way.
type Difference struct {
	Effect string // deny, error, or the verb
	Sign   string // added, gone or changed
	Count  int64
}

// A Credential is one that is fetched.
type Credential struct {
	Provider string
	Ready    bool
	Expires  time.Time // zero: not known
	Failed   int64     // tries to fetch it since the configuration was read
}

// A KeyServer is one that keys of an issuer of tokens come from.
type KeyServer struct {
	URL    string // without its query
	Keys   int    // in force
	Failed int64  // looks at it
}

// Watch says where the state comes from.
func (m *Metrics) Watch(state func() State) { m.read.state.Store(&state) }

// A reading is the state as metrics.
type reading struct {
	state atomic.Pointer[func() State]
	label func(name string, served bool) target
}

// The metrics of the state.
var (
	policyInfo       = described("attache_policy_info", "1, for the policy in force.", "revision")
	policySince      = described("attache_policy_since_timestamp_seconds", "When the policy in force began to be, in Unix time. A reload of the same rules changes nothing.")
	cacheOn          = described("attache_policy_cache_on", "1 if decisions are cached; 0 if the rules are not fit for it, it does not pay, or a difference was found.")
	cacheHits        = described("attache_policy_cache_hits_total", "Decisions from the cache, since the policy was loaded.")
	cacheMisses      = described("attache_policy_cache_misses_total", "Decisions that the cache was asked for and did not have.")
	cacheDifferences = described("attache_policy_cache_differences_total", "Cached decisions that were not those of the rules, of one in a thousand that is compared. The first switches the cache off.")
	shadowInfo       = described("attache_policy_shadow_info", "1, for the candidate beside the policy.", "revision")
	shadowCompared   = described("attache_policy_shadow_compared_total", "Decisions that were compared with the candidate's.")
	shadowDropped    = described("attache_policy_shadow_dropped_total", "Decisions that were not compared, as too many waited.")
	shadowDiff       = described("attache_policy_shadow_diff_total", "Decisions that the candidate makes otherwise. effect: deny, error, or the verb. sign: added, gone or changed.", "effect", "sign")
	answersKept      = described("attache_cache_entries", "Responses in the cache.")
	answersBytes     = described("attache_cache_bytes", "About what they take in memory.")
	answersEvicted   = described("attache_cache_evicted_total", "Responses that made room for others, since the configuration gives the cache this size.")
	streamsOpen      = described("attache_streams_open", "Requests that have begun and not ended.")
	targetState      = described("attache_target_state", "Circuit of a target that was tried of late: 0 closed, 1 half open, 2 open. The worst of those that have no name of their own.", "provider", "model")
	targetInFlight   = described("attache_target_in_flight", "Attempts under way.", "provider", "model")
	credentialReady  = described("attache_credential_ready", "1 if there is a valid credential, of those that are fetched; else 0.", "provider")
	credentialEnd    = described("attache_credential_expires_timestamp_seconds", "When the credential expires, in Unix time, if that is known.", "provider")
	credentialErrors = described("attache_credential_errors_total", "Failed tries to fetch the credential, since the configuration was read.", "provider")
	issuerKeys       = described("attache_issuer_keys", "Keys of an issuer of tokens that are in force; 0: none have come yet.", "server")
	issuerErrors     = described("attache_issuer_key_errors_total", "Failed looks at an issuer's keys. The last ones stay in force.", "server")
	recordsLost      = described("attache_ledger_lost_total", "Records that the ledger could not keep.")
	decisionsLost    = described("attache_decision_log_lost_total", "Decisions that were not logged. to: file or collector.", "to")
)

var descriptions []*prometheus.Desc

func described(name, help string, labels ...string) *prometheus.Desc {
	d := prometheus.NewDesc(name, help, labels, nil)
	descriptions = append(descriptions, d)
	return d
}

// Describe is part of prometheus.Collector.
func (*reading) Describe(to chan<- *prometheus.Desc) {
	for _, d := range descriptions {
		to <- d
	}
}

// Collect is part of prometheus.Collector.
func (r *reading) Collect(to chan<- prometheus.Metric) {
	state := r.state.Load()
	if state == nil {
		return
	}
	s := (*state)()
	out := output{to}
	out.gauge(streamsOpen, float64(s.Streams))
	out.counter(recordsLost, s.RecordsLost)
	out.counter(decisionsLost, s.DecisionsLost, "file")
	out.counter(decisionsLost, s.DecisionsUnsent, "collector")
	out.policy(&s)
	if s.Answers != nil {
		out.gauge(answersKept, float64(s.Answers.Entries))
		out.gauge(answersBytes, float64(s.Answers.Bytes))
		out.counter(answersEvicted, s.Answers.Evicted)
	}
	out.limits(&s)
	r.targets(out, s.Targets)
	for _, k := range s.KeyServers {
		out.gauge(issuerKeys, float64(k.Keys), k.URL)
		out.counter(issuerErrors, k.Failed, k.URL)
	}
	for _, c := range s.Credentials {
		out.gauge(credentialReady, truth(c.Ready), c.Provider)
		out.counter(credentialErrors, c.Failed, c.Provider)
		if !c.Expires.IsZero() {
			out.gauge(credentialEnd, float64(c.Expires.Unix()), c.Provider)
		}
	}
}

// An output takes metrics.
type output struct{ to chan<- prometheus.Metric }

func (o output) gauge(d *prometheus.Desc, v float64, labels ...string) {
	o.to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (o output) counter(d *prometheus.Desc, n int64, labels ...string) {
	o.to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (o output) policy(s *State) {
	if s.Revision == "" {
		return
	}
	o.gauge(policyInfo, 1, s.Revision)
	o.gauge(policySince, float64(s.Since.UnixMilli())/1000)
	o.gauge(cacheOn, truth(s.Cache.On))
	o.counter(cacheHits, s.Cache.Hits)
	o.counter(cacheMisses, s.Cache.Misses)
	o.counter(cacheDifferences, s.Cache.Differences)
	if s.Shadow == nil {
		return
	}
	o.gauge(shadowInfo, 1, s.Shadow.Candidate)
	o.counter(shadowCompared, s.Shadow.Compared)
	o.counter(shadowDropped, s.Shadow.Dropped)
	for _, d := range s.Shadow.Differences {
		o.counter(shadowDiff, d.Count, d.Effect, d.Sign)
	}
}

// circuits are the values of the states of a circuit.
var circuits = map[string]float64{"closed": 0, "half_open": 1, "open": 2}

// targets joins those that have no name of their own.
func (r *reading) targets(out output, all []gateway.TargetState) {
	states, inFlight := map[target]float64{}, map[target]int64{}
	for _, s := range all {
		t := r.label(s.Provider+"/"+s.Model, false)
		states[t] = max(states[t], circuits[s.State])
		inFlight[t] += s.InFlight
	}
	for t, state := range states {
		out.gauge(targetState, state, t.provider, t.model)
		out.gauge(targetInFlight, float64(inFlight[t]), t.provider, t.model)
	}
}
