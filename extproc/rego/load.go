package rego

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	opa "github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown/cache"
)

// testTimeout bounds one test of a policy.
const testTimeout = 2 * time.Second

// maxPatterns bounds how many compiled regular expressions and globs a policy
// keeps between requests.
const maxPatterns = 1000

// Load checks and prepares the rules of a directory. The error names every
// problem found, one in a line, those of a file as "path:line: …".
func Load(ctx context.Context, o Options) (*Policy, error) {
	p, err := load(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("rego: load: %w", err)
	}
	return p, nil
}

func load(ctx context.Context, o Options) (*Policy, error) {
	if o.Default != Allow && o.Default != Deny {
		return nil, fmt.Errorf("default: want %s or %s, have %q", Allow, Deny, o.Default)
	}
	if o.Deadline <= 0 {
		return nil, fmt.Errorf("deadline: want more than 0, have %v", o.Deadline)
	}
	src, err := readSource(o.FS)
	if err != nil {
		return nil, err
	}
	var ps problems
	document := src.document(&ps)
	modules, tests := parse(src.rules, &ps), parse(src.tests, &ps)
	if err := ps.join(); err != nil {
		return nil, err
	}
	store := inmem.NewFromObjectWithOpts(document, inmem.OptReturnASTValuesOnRead(true), inmem.OptRoundTripOnWrite(false))
	txn, err := store.NewTransaction(ctx) // read only, as long as the policy lives
	if err != nil {
		return nil, err
	}
	if err := runTests(ctx, store, txn, modules, tests); err != nil {
		return nil, err
	}
	rules, err := desugar(modules, o.Default == Deny)
	if err != nil {
		return nil, err
	}
	p := &Policy{rules: rules, closed: o.Default == Deny, deadline: o.Deadline, revision: src.revision(o.Default)}
	return p, p.prepare(ctx, store, txn, modules)
}

// prepare compiles the desugared modules to one query that is ready to run.
func (p *Policy) prepare(ctx context.Context, store storage.Store, txn storage.Transaction, modules map[string]*ast.Module) error {
	c := newCompiler()
	if c.Compile(modules); c.Failed() {
		return compileError(c.Errors)
	}
	if err := unusedSets(c); err != nil {
		return err
	}
	query, err := opa.New(
		opa.Query("data.attache.request."+effectsName),
		opa.Compiler(c),
		opa.Store(store),
		opa.Transaction(txn),
		opa.StrictBuiltinErrors(true),
	).PrepareForEval(ctx)
	if err != nil {
		return err
	}
	n := maxPatterns
	patterns := cache.NewInterQueryValueCache(ctx, &cache.Config{
		InterQueryBuiltinValueCache: cache.InterQueryBuiltinValueCacheConfig{MaxNumEntries: &n},
	})
	p.query = query
	p.reads = inputPaths(c.Modules)
	p.sections = project(p.Reads)
	p.options = append(lean(), opa.EvalTransaction(txn), opa.EvalInterQueryBuiltinValueCache(patterns))
	return nil
}

func parse(files map[string][]byte, ps *problems) map[string]*ast.Module {
	modules := make(map[string]*ast.Module, len(files))
	for name, b := range files {
		m, err := ast.ParseModuleWithOpts(name, string(b), ast.ParserOptions{
			ProcessAnnotation: true,
			Capabilities:      capabilities,
			RegoVersion:       ast.RegoV1,
		})
		if err != nil {
			ps.found(name, err)
			continue
		}
		modules[name] = m
	}
	return modules
}

// compileError is what the compiler says, with places.
func compileError(list ast.Errors) error {
	var ps problems
	ps.found("", list)
	return ps.join()
}

// runTests compiles the rules as they were written, with their tests, and runs
// these.
func runTests(ctx context.Context, store storage.Store, txn storage.Transaction, modules, tests map[string]*ast.Module) error {
	all := maps.Clone(modules)
	maps.Copy(all, tests)
	results, err := tester.NewRunner().
		SetCompiler(newCompiler().WithStrict(true).WithSchemas(inputSchema())).
		SetStore(store).
		SetModules(all).
		SetTimeout(testTimeout).
		RaiseBuiltinErrors(true).
		RunTests(ctx, txn)
	if err != nil {
		var list ast.Errors
		if errors.As(err, &list) {
			return compileError(list)
		}
		return err
	}
	var ps problems
	for r := range results { // to the end: the runner waits for it
		switch {
		case r.Error != nil:
			ps.at(r.Location, "%s: %w", r.Name, r.Error)
		case r.Fail:
			ps.at(r.Location, "%s failed", r.Name)
		}
	}
	if err := ctx.Err(); err != nil { // not all have run
		return err
	}
	return ps.join()
}
