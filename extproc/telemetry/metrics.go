package telemetry

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// Metrics are what Prometheus reads. They count from the start of the process to
// its end, whatever configurations come and go.
//
// What clients or providers make up never makes a series: models have one if the
// configuration names them or a price of them is known, and each metric has a
// bound, after which label values are "other". Nobody's key, name or session is a
// label.
type Metrics struct {
	registry *prometheus.Registry
	exchanges
	decided
	loads
	alerts
	read *reading
}

var _ gateway.Sink = (*Metrics)(nil)

// NewMetrics returns metrics that count nothing yet.
func NewMetrics() *Metrics {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m := &Metrics{registry: r, exchanges: newExchanges(r), decided: newDecided(r), loads: newLoads(r), alerts: newAlerts(r)}
	m.read = &reading{label: m.exchanges.targets.label}
	r.MustRegister(m.read)
	return m
}

// maxScrapes is how many may read the metrics at once.
const maxScrapes = 4

// Handler serves the metrics in the formats of Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes})
}

// Record counts an exchange that has ended.
func (m *Metrics) Record(r *gateway.Record) {
	m.exchanges.count(r)
	m.decided.count(r)
}

// counters makes a counter with labels.
func counters(r prometheus.Registerer, name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	r.MustRegister(v)
	return v
}

// histograms makes a histogram of seconds with labels.
func histograms(r prometheus.Registerer, name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	r.MustRegister(v)
	return v
}

// add adds to a counter what may be wrong, since some of it is what providers
// say.
func add(c prometheus.Counter, n int64) {
	if n > 0 {
		c.Add(float64(n))
	}
}
