// Package shadow asks a candidate of a policy about requests that the policy in
// force has decided, off their path, and counts where the two differ.
//
// It knows decisions and what a difference between two of them is. It does not
// know how policies decide, where candidates come from, nor what becomes of one
// that is good.
package shadow

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// queueSize bounds the comparisons that wait.
const queueSize = 256

// A Shadow compares one at a time. It outlives snapshots, so that what was
// counted survives a reload that changes neither policy.
type Shadow struct {
	log    *slog.Logger
	queue  chan job
	cancel context.CancelFunc
	ended  chan struct{}

	mu      sync.Mutex
	current *Pair
}

// A job is a decision to compare.
type job struct {
	pair     *Pair
	id       string
	facts    gateway.Facts
	decision gateway.Decision
	err      error
}

// New returns a Shadow with a goroutine that Close ends.
func New(log *slog.Logger) *Shadow {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Shadow{log: log, queue: make(chan job, queueSize), cancel: cancel, ended: make(chan struct{})}
	go s.run(ctx)
	return s
}

// Close ends the comparisons. Those that wait are not made, and nor are any that
// come later.
func (s *Shadow) Close() {
	s.cancel()
	<-s.ended
}

func (s *Shadow) run(ctx context.Context) {
	defer close(s.ended)
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-s.queue:
			j.pair.compare(ctx, &j, s.log)
		}
	}
}

// A Pair is a candidate beside the policy in force.
type Pair struct {
	shadow    *Shadow
	candidate gateway.Policy
	permille  int64
	limit     time.Duration // of one decision
	show      Show
	*counts
}

var _ gateway.Shadow = (*Pair)(nil)

// counts belong to two revisions.
type counts struct {
	live, candidate string
	dropped         atomic.Int64

	mu       sync.Mutex
	compared int64
	differ   int64
	kinds    map[Kind]int64
	examples map[Kind][]Example
}

// Pair puts a candidate beside the policy of a revision, for a share of the
// exchanges in thousandths. It goes on counting if that was the last pair as well.
// What is shown of examples, of older ones as well, is up to show.
func (s *Shadow) Pair(live string, candidate gateway.Policy, permille int64, limit time.Duration, show Show) *Pair {
	p := &Pair{shadow: s, candidate: candidate, permille: permille, limit: limit, show: show}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.current; c != nil && c.live == live && c.counts.candidate == candidate.Revision() {
		p.counts = c.counts
	} else {
		p.counts = &counts{live: live, candidate: candidate.Revision(), kinds: map[Kind]int64{}, examples: map[Kind][]Example{}}
	}
	s.current = p
	return p
}

// Takes is part of gateway.Shadow.
func (p *Pair) Takes(id string) bool { return gateway.Sampled(id, p.permille) }

// Reads is part of gateway.Shadow.
func (p *Pair) Reads(fact string) bool { return p.candidate.Reads(fact) }

// Compare is part of gateway.Shadow. If too many comparisons wait already, it
// counts that this one is not made.
func (p *Pair) Compare(id string, f *gateway.Facts, d *gateway.Decision, err error) {
	j := job{p, id, *f, *d, err}
	j.facts.Record = nil // it changes later
	select {
	case p.shadow.queue <- j:
	default:
		p.dropped.Add(1)
	}
}

// maxExamples bounds the examples of each kind.
const maxExamples = 5

func (p *Pair) compare(ctx context.Context, j *job, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	other, err := p.candidate.Decide(ctx, &j.facts)
	kinds := differences(&j.decision, j.err, &other, err)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.compared++
	if len(kinds) == 0 {
		return
	}
	p.differ++
	var e *Example
	for _, k := range kinds {
		p.kinds[k]++
		if len(p.examples[k]) == maxExamples {
			continue
		}
		if e == nil {
			e = p.example(j, &other, err, log)
		}
		p.examples[k] = append(p.examples[k], *e)
	}
}

// A Report is what was found out about a candidate.
type Report struct {
	Live      string             `json:"live"`      // revision
	Candidate string             `json:"candidate"` // revision
	Compared  int64              `json:"compared"`
	Differ    int64              `json:"differ"`
	Dropped   int64              `json:"dropped"` // not compared, as too many waited
	Kinds     map[Kind]int64     `json:"kinds"`
	Examples  map[Kind][]Example `json:"examples"`
}

// Report returns the counts so far.
func (p *Pair) Report() Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := Report{
		Live: p.live, Candidate: p.counts.candidate, Compared: p.compared, Differ: p.differ, Dropped: p.dropped.Load(),
		Kinds: map[Kind]int64{}, Examples: map[Kind][]Example{},
	}
	for k, n := range p.kinds {
		r.Kinds[k] = n
		for _, e := range p.examples[k] {
			r.Examples[k] = append(r.Examples[k], p.show.of(e))
		}
	}
	return r
}
