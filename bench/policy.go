package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing/fstest"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/rego"
)

// policyName stands in -scenario for what is measured in this process.
const policyName = "policy"

// fifteen has ordinary rules, so many. Of them and of the shipped ones six hold
// for the request that is measured.
const (
	fifteen  = "extproc/rego/testdata/fifteen.rego"
	ordinary = 15
)

// indexed are how many rules are added to them, each about one key.
var indexed = [...]int{0, 50, 500}

// A policy is what decisions by so many rules and the shipped ones cost.
type policy struct {
	Rules        int           `json:"rules"`
	CPU          time.Duration `json:"cpu_ns"`
	Allocs       int64         `json:"allocs"`
	CachedCPU    time.Duration `json:"cached_cpu_ns"`
	CachedAllocs int64         `json:"cached_allocs"`
}

// A reload is what it costs to load the largest of these policies.
type reload struct {
	Rules int           `json:"rules"`
	CPU   time.Duration `json:"cpu_ns"`
	Time  time.Duration `json:"time_ns"` // while decisions are made
	Slow  time.Duration `json:"slow_ns"` // 99.9 % of these were faster
}

// policies measures decisions in this process, before anything else runs in it.
func policies(ctx context.Context, o options) (costs []policy, _ *reload, err error) {
	var source rego.Options
	fresh, cached := make([]func() error, len(indexed)), make([]func() error, len(indexed))
	for i, more := range indexed {
		if source, err = rules(ctx, more); err != nil {
			return nil, nil, err
		}
		var p [2]*rego.Policy // whose cache is of no use, and of use
		for i := range p {
			if p[i], err = rego.Load(ctx, source); err != nil {
				return nil, nil, err
			}
		}
		fresh[i], cached[i] = others(ctx, p[0]), same(ctx, p[1])
	}
	rounds := make([][]policy, len(indexed))
	for range o.rounds {
		for i, more := range indexed {
			cost := policy{Rules: ordinary + more}
			if cost.CPU, cost.Allocs, err = each(o.duration/10, fresh[i]); err != nil {
				return nil, nil, err
			}
			if cost.CachedCPU, cost.CachedAllocs, err = each(o.duration/10, cached[i]); err != nil {
				return nil, nil, err
			}
			rounds[i] = append(rounds[i], cost)
		}
	}
	for _, r := range rounds {
		costs = append(costs, policy{
			r[0].Rules,
			median(r, func(p policy) time.Duration { return p.CPU }), r[len(r)-1].Allocs,
			median(r, func(p policy) time.Duration { return p.CachedCPU }), r[len(r)-1].CachedAllocs,
		})
	}
	r, err := reloads(ctx, source, cached[len(cached)-1], o.rounds)
	return costs, r, err
}

// rules are the fifteen and more.
func rules(ctx context.Context, more int) (rego.Options, error) {
	root, err := moduleDir(ctx)
	if err != nil {
		return rego.Options{}, err
	}
	text, err := os.ReadFile(filepath.Join(root, fifteen))
	if err != nil {
		return rego.Options{}, err
	}
	for i := range more {
		text = fmt.Appendf(text, "\ndeny contains {\"code\": \"c%d\"} if input.caller.key == \"key%d\"\n", i, i)
	}
	return rego.Options{FS: fstest.MapFS{"bench.rego": {Data: text}}, Default: rego.Allow, Deadline: time.Minute}, nil
}

// chat is what a policy knows of a request.
func chat() *gateway.Facts {
	return &gateway.Facts{
		Now: time.Date(2026, 11, 21, 13, 30, 0, 0, time.UTC), Op: "chat", Dialect: "openai", Path: "/v1/chat/completions",
		Model: "smart", MaxTokens: 2000, InputTokens: 1200, Messages: 3, Images: 1, Tools: []string{"search", "mail"}, Bytes: 5321,
		Caller:     gateway.Caller{KeyID: "k1", Org: "acme", Team: "team", Labels: map[string]string{"tier": "free"}},
		Properties: map[string]string{"residency": "eu"},
	}
}

// same decides about one request again and again.
func same(ctx context.Context, p *rego.Policy) func() error {
	f := chat()
	return func() error { _, err := p.Decide(ctx, f); return err }
}

// others decides about requests of so many teams in turn that no cache of
// decisions is of use.
func others(ctx context.Context, p *rego.Policy) func() error {
	var teams [1 << 14]string
	for i := range teams {
		teams[i] = fmt.Sprint("team", i)
	}
	f, n := chat(), 0
	return func() error {
		f.Caller.Team = teams[n%len(teams)]
		n++
		_, err := p.Decide(ctx, f)
		return err
	}
}

// each returns the CPU time and the allocations of one call.
func each(d time.Duration, call func() error) (cpu time.Duration, allocs int64, err error) {
	const burst = 100
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	begun, n := used(), 0
	for end := time.Now().Add(d); time.Now().Before(end); n += burst {
		for range burst {
			if err := call(); err != nil {
				return 0, 0, err
			}
		}
	}
	cpu = (used() - begun) / time.Duration(n)
	runtime.ReadMemStats(&after)
	return cpu, int64(after.Mallocs-before.Mallocs) / int64(n), nil
}

// used is the CPU time of this process so far, its garbage collector included.
func used() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err) // there is no way for it to fail
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// reloads loads rules, first alone and then while another policy decides.
func reloads(ctx context.Context, source rego.Options, decide func() error, rounds int) (*reload, error) {
	var all []reload
	for range rounds {
		begun := used()
		if _, err := rego.Load(ctx, source); err != nil {
			return nil, err
		}
		r := reload{CPU: used() - begun}
		start, loaded := time.Now(), make(chan error, 1)
		go func() { _, err := rego.Load(ctx, source); loaded <- err }()
		took := make([]time.Duration, 0, 1<<20)
		for len(loaded) == 0 {
			at := time.Now()
			if err := decide(); err != nil {
				return nil, errors.Join(err, <-loaded)
			}
			if len(took) < cap(took) {
				took = append(took, time.Since(at))
			}
		}
		if err := <-loaded; err != nil {
			return nil, err
		}
		r.Time = time.Since(start)
		slices.Sort(took)
		r.Slow = took[len(took)*999/1000]
		all = append(all, r)
	}
	return &reload{
		Rules: ordinary + indexed[len(indexed)-1],
		CPU:   median(all, func(r reload) time.Duration { return r.CPU }),
		Time:  median(all, func(r reload) time.Duration { return r.Time }),
		Slow:  median(all, func(r reload) time.Duration { return r.Slow }),
	}, nil
}
