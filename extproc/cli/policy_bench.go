package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/attache-gateway/attache/extproc/rego"
	"github.com/attache-gateway/attache/extproc/telemetry"
)

// maxBenched bounds how many inputs are measured.
const maxBenched = 10_000

// A benched policy is what policy bench finds.
type benched struct {
	Policy string `json:"policy"`
	Inputs int    `json:"inputs"`
	From   string `json:"from"` // where the inputs come from
	rego.Measurement
	Rules []rego.Rule `json:"rules"` // the slowest by guess first
}

// policyBench measures what decisions cost.
func (p *Program) policyBench(ctx context.Context, args []string) error {
	f := p.flags("policy bench")
	file := ruleFlags(f)
	var inputs []string
	f.Func("i", "`file` with inputs of rules as JSON, one after the other; more than once if need be", func(s string) error {
		inputs = append(inputs, s)
		return nil
	})
	log, since := logFlag(f), sinceFlag(f)
	least := f.Duration("time", 2*time.Second, "how long to measure")
	asJSON := f.Bool("json", false, "print JSON")
	words, err := parseMixed(f, args, 1)
	if err != nil {
		return err
	}
	b, err := p.ruleBook(ctx, *file, words)
	if err != nil {
		return err
	}
	policy, err := rego.Load(ctx, b.options)
	if err != nil {
		return err
	}
	r := benched{Policy: policy.Revision(), Rules: policy.Rules()}
	var sights []rego.Sight
	switch {
	case len(inputs) > 0:
		r.From = "files"
		sights, err = p.sightsOf(policy, inputs)
	case *log != "" || b.config != nil && b.config.Telemetry.Decisions.File != "":
		r.From = "the log of decisions"
		sights, err = p.sightsIn(ctx, policy, b, *log, *since)
	default:
		r.From = "made-up requests"
		sights = policy.MakeUp(&b.options)
	}
	if err != nil {
		return err
	}
	if r.Inputs = len(sights); r.Inputs == 0 {
		return fmt.Errorf("no input in %s can be used", r.From)
	}
	if r.Measurement, err = policy.Measure(ctx, sights, *least); err != nil {
		return err
	}
	slices.SortStableFunc(r.Rules, func(a, b rego.Rule) int { return cmp.Compare(b.Cost, a.Cost) })
	if *asJSON {
		return p.printJSON(r)
	}
	fmt.Fprintf(p.Stdout, "%d decisions on %d inputs of %s, without the cache:\n", r.Decisions, r.Inputs, r.From)
	fmt.Fprintf(p.Stdout, "mean %v, median %v, 99 %% within %v, longest %v; %d allocations, %d bytes each\n",
		r.Mean, r.Median, r.P99, r.Longest, r.Allocs, r.Bytes)
	return p.printRules(r.Rules)
}

// sightsOf reads inputs from files.
func (p *Program) sightsOf(policy *rego.Policy, files []string) (all []rego.Sight, err error) {
	for _, name := range files {
		text, err := p.readInput(name)
		if err != nil {
			return nil, err
		}
		found, err := sightsFrom(policy, text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, found...)
	}
	return all, nil
}

// sightsFrom reads one input, or one from each line.
func sightsFrom(policy *rego.Policy, text []byte) (all []rego.Sight, err error) {
	parts := [][]byte{text}
	if _, err := rego.ReadSight(text); err != nil {
		parts = bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	}
	for _, part := range parts[:min(len(parts), maxBenched)] {
		s, err := rego.ReadSight(part)
		if err == nil {
			s, err = policy.Complete(s)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// sightsIn reads inputs from the log of decisions.
func (p *Program) sightsIn(ctx context.Context, policy *rego.Policy, b *ruleBook, log string, since time.Duration) (all []rego.Sight, err error) {
	files, err := b.logs(log)
	if err != nil {
		return nil, err
	}
	for event, err := range telemetry.Read(files...) {
		switch {
		case err != nil:
			return nil, err
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case event.Path != telemetry.PathRequest || since > 0 && time.Since(event.Timestamp) > since:
			continue
		}
		if s, why := recorded(event, policy); why == "" {
			all = append(all, s)
		}
		if len(all) == maxBenched {
			break
		}
	}
	return all, nil
}
