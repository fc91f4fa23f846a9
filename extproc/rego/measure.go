package rego

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A Measurement is what decisions cost: evaluation and the fold of effects,
// without the cache and the building of the input.
type Measurement struct {
	Decisions int           `json:"decisions"`
	Mean      time.Duration `json:"mean_ns"`
	Median    time.Duration `json:"median_ns"`
	P99       time.Duration `json:"p99_ns"`
	Longest   time.Duration `json:"longest_ns"`
	Allocs    int64         `json:"allocs"` // per decision
	Bytes     int64         `json:"bytes"`  // allocated per decision
}

// maxMeasured bounds how many single durations are kept.
const maxMeasured = 1 << 20

// Measure decides about inputs in turn until the time is over, each of them
// once at least. Decisions that fail count: they cost as well.
func (p *Policy) Measure(ctx context.Context, inputs []Sight, least time.Duration) (m Measurement, err error) {
	if len(inputs) == 0 {
		return m, fmt.Errorf("rego: measure: there are no inputs")
	}
	values := make([]ast.Value, len(inputs))
	for i, s := range inputs {
		values[i] = s.projected(p)
	}
	once := func(in ast.Value) {
		if e := p.request; e != nil {
			_ = e.try(ctx, p.closed, in, e.deadline)
		}
	}
	for _, in := range values[:min(len(values), 100)] { // caches of patterns, branch predictors
		once(in)
	}
	took := make([]time.Duration, 0, maxMeasured) // in advance: it must not count
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begun := time.Now()
	for i := 0; (i < len(values) || time.Since(begun) < least) && len(took) < maxMeasured && ctx.Err() == nil; i++ {
		start := time.Now()
		once(values[i%len(values)])
		took = append(took, time.Since(start))
	}
	total := time.Since(begun)
	runtime.ReadMemStats(&after)
	n := len(took)
	if n == 0 {
		return m, ctx.Err()
	}
	slices.Sort(took)
	return Measurement{
		Decisions: n, Mean: total / time.Duration(n), Median: took[n/2], P99: took[n*99/100], Longest: took[n-1],
		Allocs: int64(after.Mallocs-before.Mallocs) / int64(n), Bytes: int64(after.TotalAlloc-before.TotalAlloc) / int64(n),
	}, ctx.Err()
}

// MakeUp returns inputs of requests that nobody made, as rules are tried on when
// they are loaded. They are the same each time.
func (p *Policy) MakeUp(o *Options) []Sight {
	if p.request == nil {
		return []Sight{{ast.NewObject()}}
	}
	r := rand.New(rand.NewPCG(1, uint64(onRequest)))
	all := make([]Sight, made)
	for i := range all {
		all[i] = Sight{p.request.input.term(imagine(r, i, o)).Value.(ast.Object)}
	}
	return all
}
