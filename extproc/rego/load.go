package rego

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown/cache"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// maxCompiled bounds how many compiled regular expressions and globs a policy
// keeps between requests.
const maxCompiled = 1000

// Load checks and prepares the rules of a directory. The error names every
// problem found in the first step that finds any, one in a line, those of a file
// as "path:line: …".
func Load(ctx context.Context, o Options) (p *Policy, err error) {
	defer func() { // rules are untrusted, and the compiler is large
		if r := recover(); r != nil {
			p, err = nil, fmt.Errorf("rego: load: panic: %v", r)
		}
	}()
	p, err = load(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("rego: load: %w", err)
	}
	return p, nil
}

func load(ctx context.Context, o Options) (*Policy, error) {
	l, err := newLoader(ctx, o)
	if err != nil {
		return nil, err
	}
	src := l.source
	p := &Policy{closed: o.Default == Deny, revision: src.revision(&o, l.more), recent: o.Recent, log: o.Logger}
	p.nothing = gateway.Facts{Temperature: -1, TopP: -1, Limits: unused(o.Limits), Budgets: unused(o.Budgets)}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	lints, err := lint(l.own)
	if err != nil {
		return nil, err
	}
	p.warnings = append(src.warnings, lints...)
	served := map[string]*ast.Module{} // the tests run on what was written
	for _, modules := range []map[string]*ast.Module{l.own, l.shipped} {
		for name, m := range modules {
			served[name] = m.Copy()
		}
	}
	rules, unknown, err := desugar(served, &o)
	if err != nil {
		return nil, err
	}
	p.warnings = append(p.warnings, unknown...)
	if p.labels, err = labelsOf(l.own); err != nil {
		return nil, err
	}
	if err := l.runTests(ctx); err != nil {
		return nil, err
	}
	if err := l.prepare(ctx, p, served, rules); err != nil {
		return nil, err
	}
	if err := l.smoke(ctx, p); err != nil {
		return nil, err
	}
	if o.LastGood != "" {
		if err := src.keep(o.LastGood); err != nil {
			p.warnings = append(p.warnings, fmt.Sprintf("the rules cannot be kept: %v", err))
		}
	}
	return p, nil
}

func (o *Options) check() error {
	if o.Default != Allow && o.Default != Deny {
		return fmt.Errorf("default: want %s or %s, have %q", Allow, Deny, o.Default)
	}
	if o.Deadline <= 0 {
		return fmt.Errorf("deadline: want more than 0, have %v", o.Deadline)
	}
	for _, team := range slices.Sorted(maps.Keys(o.Teams)) {
		for _, name := range o.Teams[team] {
			if verbs[name] == nil {
				return fmt.Errorf("teams: %s: there is no verb %q", team, name)
			}
		}
	}
	return grants(o.Builtins)
}

// A loader is what the steps of loading share.
type loader struct {
	Options
	source              *source
	more                map[string][]byte // shipped rules
	data                map[string]any
	capabilities        *ast.Capabilities
	own, tests, shipped map[string]*ast.Module
	store               storage.Store
	txn                 storage.Transaction
}

// newLoader reads and parses all files.
func newLoader(ctx context.Context, o Options) (*loader, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	l := &loader{Options: o, capabilities: capabilitiesWith(o.Builtins)}
	var err error
	if l.source, err = readSource(o.FS); err != nil {
		return nil, err
	}
	if l.more, err = shippedRules(o.Off); err != nil {
		return nil, err
	}
	var ps problems
	l.data = l.source.document(&ps)
	l.own, l.tests, l.shipped = l.parse(l.source.rules, &ps), l.parse(l.source.tests, &ps), l.parse(l.more, &ps)
	if err := ps.join(); err != nil {
		return nil, err
	}
	l.store = inmem.NewFromObjectWithOpts(l.data, inmem.OptReturnASTValuesOnRead(true), inmem.OptRoundTripOnWrite(false))
	l.txn, err = l.store.NewTransaction(ctx) // read only, as long as the policy lives
	return l, err
}

func (l *loader) parse(files map[string][]byte, ps *problems) map[string]*ast.Module {
	modules := make(map[string]*ast.Module, len(files))
	for name, b := range files {
		m, err := ast.ParseModuleWithOpts(name, string(b), ast.ParserOptions{
			ProcessAnnotation: true,
			Capabilities:      l.capabilities,
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

// prepare compiles the desugared modules to one query for each entry point that
// has rules.
func (l *loader) prepare(ctx context.Context, p *Policy, modules map[string]*ast.Module, rules map[int][]rule) error {
	c := newCompiler(l.capabilities)
	if c.Compile(modules); c.Failed() {
		return compileError(c.Errors)
	}
	var ps, never problems
	unusedSets(c, &ps)
	p.warnings = append(p.warnings, missingData(c, l.data).lines()...)
	if p.closed && !allows(rules[onRequest]) {
		p.warnings = append(p.warnings, "the default is to deny, and no rule allows anything: all requests are refused")
	}
	for on, to := range map[int]**entry{onRequest: &p.request, onResponse: &p.response, onAdmin: &p.admin} {
		if len(rules[on]) == 0 {
			continue
		}
		e := &entry{name: packages[on], on: on, rules: rules[on], guards: l.guardNames(), deadline: l.Deadline}
		a, err := l.entry(ctx, c, e)
		if err != nil {
			return err
		}
		a.misplaced(e, &l.Options, &ps)
		never = append(never, a.never...)
		*to = e
		if on != onRequest {
			continue
		}
		if k, why := newKeyer(a, on); k != nil {
			p.cache = newDecisions(k)
		} else {
			p.warnings = append(p.warnings, "attache.request: decisions are not cached: "+why)
		}
	}
	p.warnings = append(p.warnings, never.lines()...)
	return ps.join()
}

// entry prepares the query of an entry point and looks at what its rules read.
func (l *loader) entry(ctx context.Context, c *ast.Compiler, e *entry) (*analysis, error) {
	set := "data." + e.name + "." + effectsName
	n := maxCompiled
	patterns := cache.NewInterQueryValueCache(ctx, &cache.Config{
		InterQueryBuiltinValueCache: cache.InterQueryBuiltinValueCacheConfig{MaxNumEntries: &n},
	})
	e.query = query{rules: c, store: l.store, txn: l.txn, patterns: patterns}
	if err := e.query.compile(set); err != nil {
		return nil, err
	}
	a := analyse(c, set, e.rules)
	e.paths = a.paths()
	e.input, e.needed = a.complete(project(e.on, e.reads)), a.complete(a.narrow(e.on))
	return a, nil
}

// compileError is what the compiler says, with places.
func compileError(list ast.Errors) error {
	var ps problems
	ps.found("", list)
	return ps.join()
}
