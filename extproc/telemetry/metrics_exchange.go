package telemetry

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

// The buckets of histograms, in seconds.
var (
	wholeBuckets = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300}
	firstBuckets = []float64{0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30}
	ruleBuckets  = []float64{1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 0.02, 0.1}
)

// exchanges are the metrics of requests, from their records.
type exchanges struct {
	targets  *targets
	requests *family[requestKey, prometheus.Counter]
	seconds  *family[secondsKey, prometheus.Observer]
	used     *family[target, *use]
	attempts *family[attemptKey, prometheus.Counter]
	verdicts *family[verdictKey, prometheus.Counter]
	limited  *family[limitedKey, prometheus.Counter]
	cache    *prometheus.CounterVec
	saved    prometheus.Counter
}

type requestKey struct {
	dialect string
	op      llm.Op
	status  int
	code    string
}

type secondsKey struct {
	provider string
	op       llm.Op
}

type attemptKey struct{ provider, result string }

type limitedKey struct{ limit, result string }

type verdictKey struct {
	guard  string
	action gateway.Action
}

// A use is what the requests that one target answered took.
type use struct {
	tokens     [len(kinds)]prometheus.Counter
	cost, free prometheus.Counter
	firstToken prometheus.Observer
}

// kinds are the kinds of tokens. Each token is of one, so that they add up.
var kinds = [...]struct {
	name string
	of   func(u *llm.Usage) int64
}{
	{"input", func(u *llm.Usage) int64 { return u.Input - u.CacheRead - u.CacheWrite }},
	{"cache_read", func(u *llm.Usage) int64 { return u.CacheRead }},
	{"cache_write", func(u *llm.Usage) int64 { return u.CacheWrite }},
	{"output", func(u *llm.Usage) int64 { return u.Output - u.Reasoning }},
	{"reasoning", func(u *llm.Usage) int64 { return u.Reasoning }},
}

// The most series of each metric, without those that end in other.
const (
	maxRequests = 1000
	maxSeconds  = 200
	maxAttempts = 500
	maxVerdicts = 200
	maxLimited  = 500
)

func newExchanges(r prometheus.Registerer) exchanges {
	requests := counters(r, "attache_requests_total", "Requests that have ended. status: as the client saw it, none if it got none or one of Envoy's. code: of the error, empty if there was none.", "dialect", "op", "status", "code")
	seconds := histograms(r, "attache_request_seconds", "Time from the request's headers to the end of its response. provider: that answered, none if the gateway did.", wholeBuckets, "provider", "op")
	first := histograms(r, "attache_first_token_seconds", "Time from the request's headers to the first content of a response that the gateway reads.", firstBuckets, "provider", "model")
	attempts := counters(r, "attache_attempts_total", "Attempts at targets. result: the status of the response, or failed if there was none or a bad one.", "provider", "result")
	tokens := counters(r, "attache_tokens_total", "Tokens used. kind: input (not from a cache), cache_read, cache_write, output (without reasoning) or reasoning; they add up.", "provider", "model", "kind")
	cost := counters(r, "attache_cost_nano_dollars_total", "What that cost, in 10^-9 dollars, as far as prices are known.", "provider", "model")
	free := counters(r, "attache_unpriced_requests_total", "Answered requests of which the cost is not known.", "provider", "model")
	verdicts := counters(r, "attache_guard_verdicts_total", "Verdicts of guards. action: allow, redact, block, or failed if there was none.", "guard", "action")
	limited := counters(r, "attache_limited_total", "Requests that a limit or budget did not let through. limit: its name, or rule: and the rule's id. result: refused, or cut for a response that was ended.", "limit", "result")
	cache := counters(r, "attache_cache_total", "Requests that the cache of responses was for. result: hit, miss, or off if it had no part in the request.", "result")
	saved := counters(r, "attache_cache_saved_nano_dollars_total", "What the answers of hits cost when they were made, in 10^-9 dollars, as far as prices are known.")
	return exchanges{
		cache: cache, saved: saved.WithLabelValues(),
		targets: &targets{named: map[string]target{}},
		requests: newFamily(maxRequests,
			func(k requestKey) requestKey { return requestKey{k.dialect, k.op, -1, other} },
			func(k requestKey) prometheus.Counter {
				return requests.WithLabelValues(k.dialect, string(k.op), statusOf(k.status), labelOf(k.code))
			}),
		seconds: newFamily(maxSeconds,
			func(k secondsKey) secondsKey { return secondsKey{other, k.op} },
			func(k secondsKey) prometheus.Observer { return seconds.WithLabelValues(k.provider, string(k.op)) }),
		used: newFamily(2*maxTargets,
			func(target) target { return target{other, other} },
			func(t target) *use {
				u := &use{
					cost: cost.WithLabelValues(t.provider, t.model), free: free.WithLabelValues(t.provider, t.model),
					firstToken: first.WithLabelValues(t.provider, t.model),
				}
				for i, k := range kinds {
					u.tokens[i] = tokens.WithLabelValues(t.provider, t.model, k.name)
				}
				return u
			}),
		attempts: newFamily(maxAttempts,
			func(k attemptKey) attemptKey { return attemptKey{other, other} },
			func(k attemptKey) prometheus.Counter { return attempts.WithLabelValues(k.provider, labelOf(k.result)) }),
		limited: newFamily(maxLimited,
			func(k limitedKey) limitedKey { return limitedKey{other, k.result} },
			func(k limitedKey) prometheus.Counter { return limited.WithLabelValues(labelOf(k.limit), k.result) }),
		verdicts: newFamily(maxVerdicts,
			func(k verdictKey) verdictKey { return verdictKey{other, other} },
			func(k verdictKey) prometheus.Counter {
				return verdicts.WithLabelValues(labelOf(k.guard), labelOf(string(k.action)))
			}),
	}
}

func (e *exchanges) count(r *gateway.Record) {
	e.requests.get(requestKey{r.Dialect, r.Op, r.Status, r.Code}).Inc()
	provider := r.Provider
	if provider == "" {
		provider = "none"
	}
	e.seconds.get(secondsKey{provider, r.Op}).Observe(r.Duration.Seconds())
	for _, a := range r.Attempts {
		provider, _, _ := strings.Cut(a.Target, "/")
		e.attempts.get(attemptKey{provider, a.Result}).Inc()
	}
	for guard, action := range r.Verdicts {
		e.verdicts.get(verdictKey{guard, action}).Inc()
	}
	if r.Limit != "" {
		result := "refused"
		if r.Cut {
			result = "cut"
		}
		e.limited.get(limitedKey{r.Limit, result}).Inc()
	}
	if r.Cache != "" {
		e.cache.WithLabelValues(r.Cache).Inc()
		add(e.saved, r.SavedNano)
	}
	if r.Target != "" {
		e.use(r)
	}
}

// use counts what a target was used for. That its provider has the model is
// certain once it was paid for.
func (e *exchanges) use(r *gateway.Record) {
	u := e.used.get(e.targets.label(r.Target, r.CostNano > 0))
	for i := range kinds {
		add(u.tokens[i], kinds[i].of(&r.Usage))
	}
	add(u.cost, r.CostNano)
	if r.Unpriced {
		u.free.Inc()
	}
	if r.FirstToken > 0 {
		u.firstToken.Observe(r.FirstToken.Seconds())
	}
}
