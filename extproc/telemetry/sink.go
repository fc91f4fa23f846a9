package telemetry

import (
	"hash/fnv"
	"os"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// What of a request stands in its event.
const (
	ContentNone      = "none"      // nothing: no input
	ContentProjected = "projected" // what the rules could see of it, which has no prompts and no keys
)

// A Filter says what of the decisions is logged.
type Filter struct {
	Content string
	Sample  int64    // permille of the requests that were allowed; those that were denied are all kept
	Mask    []string // JSON pointers into events, as /input/user: the value is replaced
}

// A sink hands the decisions of one snapshot on.
type sink struct {
	log *Decisions
	Filter
}

var _ gateway.DecisionSink = (*sink)(nil)

// With returns a sink for decisions of which f says what is logged.
func (d *Decisions) With(f Filter) gateway.DecisionSink { return &sink{d, f} }

// Decided takes a decision to be logged soon. The policy may ask for no event of
// what it allows. Denials are all kept.
func (s *sink) Decided(d *gateway.Decided) {
	if !d.Denied() && (d.Record.Log.Level == gateway.LogNone || !sampled(d.Record.ID, s.Sample)) {
		return
	}
	s.log.add(job{d, s, weight(d.Facts)})
}

// sampled reports whether a request is in a sample. The same one always is, on
// every node, and whoever is in a small sample is in any larger one.
func sampled(id string, permille int64) bool {
	if permille >= 1000 {
		return true
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // never fails
	return int64(mix(h.Sum64())%1000) < permille
}

// mix spreads the bits of a hash evenly: the end of MurmurHash3.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// weight is about what a decision that waits holds in memory, in bytes.
func weight(f *gateway.Facts) int64 {
	n := 2048
	for _, t := range f.Tools {
		n += len(t) + 16
	}
	for _, h := range f.Headers {
		n += len(h.Name) + len(h.Value) + 32
	}
	for k, v := range f.Properties {
		n += len(k) + len(v) + 32
	}
	return int64(n + 256*len(f.Candidates))
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}
