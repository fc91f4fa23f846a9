package rego

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/tester"
)

// testTimeout bounds one test of a policy.
const testTimeout = 2 * time.Second

// A TestReport is what became of the tests of a policy.
type TestReport struct {
	Tests   []TestResult `json:"tests"`
	Covered float64      `json:"covered"` // percent of the lines of rules that the tests ran; 0 if nobody asked
	Missing []string     `json:"missing"` // the others, as file:line
}

// A TestResult is what became of one test.
type TestResult struct {
	Name    string `json:"name"` // package.rule
	Place   string `json:"at"`   // file:line
	TookNS  int64  `json:"took_ns"`
	Problem string `json:"problem,omitempty"` // empty: it is good
}

// Failed returns how many tests are not good.
func (r *TestReport) Failed() (n int) {
	for i := range r.Tests {
		if r.Tests[i].Problem != "" {
			n++
		}
	}
	return n
}

// Test runs the tests of the rules of a directory, with the shipped rules beside
// them. An error means that they could not run.
func Test(ctx context.Context, o Options, coverage bool) (report TestReport, err error) {
	defer func() { // as in Load
		if r := recover(); r != nil {
			err = fmt.Errorf("rego: test: panic: %v", r)
		} else if err != nil {
			err = fmt.Errorf("rego: test: %w", err)
		}
	}()
	l, err := newLoader(ctx, o)
	if err != nil {
		return report, err
	}
	results, covered, err := l.results(ctx, coverage)
	if err != nil {
		return report, err
	}
	report.Covered, report.Missing = covered.Coverage, missing(covered)
	for _, r := range results {
		one := TestResult{Name: strings.TrimPrefix(r.Package, "data.") + "." + r.Name, Place: place(r.Location), TookNS: int64(r.Duration)}
		switch {
		case r.Error != nil:
			one.Problem = r.Error.Error()
		case r.Fail:
			one.Problem = "failed"
		}
		report.Tests = append(report.Tests, one)
	}
	return report, nil
}

// runTests refuses rules whose tests fail, or run too little of them.
func (l *loader) runTests(ctx context.Context) error {
	results, covered, err := l.results(ctx, l.Coverage > 0)
	if err != nil {
		return err
	}
	var ps problems
	for _, r := range results {
		switch {
		case r.Error != nil:
			ps.at(r.Location, "%s: %w", r.Name, r.Error)
		case r.Fail:
			ps.at(r.Location, "%s failed", r.Name)
		}
	}
	if err := ps.join(); err != nil || covered.Coverage >= float64(l.Coverage) {
		return err
	}
	lines := missing(covered)
	const most = 10
	if len(lines) > most {
		lines = append(lines[:most], "…")
	}
	return fmt.Errorf("the tests run %.0f %% of the rules, and %d %% are asked for; not run: %s", covered.Coverage, l.Coverage, strings.Join(lines, ", "))
}

// results compiles the rules as they were written, with their tests, and runs
// these.
func (l *loader) results(ctx context.Context, coverage bool) (all []*tester.Result, covered cover.Report, err error) {
	modules := maps.Clone(l.own)
	maps.Copy(modules, l.shipped)
	maps.Copy(modules, l.tests)
	runner := tester.NewRunner().
		SetCompiler(newCompiler(l.capabilities).WithStrict(true).WithSchemas(inputSchema(l.guardNames()))).
		SetStore(l.store).
		SetModules(modules).
		SetTimeout(testTimeout).
		RaiseBuiltinErrors(true)
	tracer := cover.New()
	if coverage {
		runner.SetCoverageQueryTracer(tracer)
	}
	results, err := runner.RunTests(ctx, l.txn)
	if err != nil {
		var list ast.Errors
		if errors.As(err, &list) {
			err = compileError(list)
		}
		return nil, covered, err
	}
	for r := range results { // to the end: the runner waits for it
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *tester.Result) int { // they run at once
		return cmp.Or(cmp.Compare(a.Location.File, b.Location.File), cmp.Compare(a.Location.Row, b.Location.Row))
	})
	if err := ctx.Err(); err != nil { // not all have run
		return nil, covered, err
	}
	if coverage {
		covered = tracer.Report(l.own)
	}
	return all, covered, nil
}

// missing are the lines of rules that tests did not run, as file:line.
func missing(r cover.Report) (lines []string) {
	for _, name := range slices.Sorted(maps.Keys(r.Files)) {
		for _, at := range r.Files[name].NotCovered {
			lines = append(lines, fmt.Sprintf("%s:%d", name, at.Start.Row))
		}
	}
	return slices.Compact(lines)
}
