package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/attache-gateway/attache/extproc/rego"
)

// A checked policy is what policy check finds.
type checked struct {
	Revision string      `json:"revision"`
	Rules    []rego.Rule `json:"rules"`
	Warnings []string    `json:"warnings"`
	Tests    int         `json:"tests"`
	Covered  float64     `json:"covered"`
	Missing  []string    `json:"missing"`
}

// policyCheck loads rules as the gateway does, those of a configuration with its
// candidate, and says what is doubtful in them and what they cost.
func (p *Program) policyCheck(ctx context.Context, args []string) error {
	f := p.flags("policy check")
	file := ruleFlags(f)
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
	if len(words) == 0 && !b.config.Policy.Shadow.Empty() {
		if err := b.checkCandidate(ctx); err != nil {
			return fmt.Errorf("candidate: %w", err)
		}
	}
	report, err := rego.Test(ctx, b.options, true)
	if err != nil {
		return err
	}
	c := checked{policy.Revision(), policy.Rules(), append([]string{}, policy.Warnings()...), len(report.Tests), report.Covered, append([]string{}, report.Missing...)}
	if *asJSON {
		return json.NewEncoder(p.Stdout).Encode(c)
	}
	fmt.Fprintf(p.Stdout, "%s is good: %d rules, %d tests, %.0f %% of the rules covered, policy %s\n", b.name, len(c.Rules), c.Tests, c.Covered, c.Revision)
	for _, w := range c.Warnings {
		fmt.Fprintln(p.Stdout, "warning:", w)
	}
	return p.printRules(c.Rules)
}

func (b *ruleBook) checkCandidate(ctx context.Context) error {
	other, err := b.candidate(ctx, "")
	if err != nil {
		return err
	}
	_, err = rego.Load(ctx, other.options)
	return err
}

// printRules is a table of rules with a guess of what each costs.
func (p *Program) printRules(rules []rego.Rule) error {
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nVERB\tRULE\tAT\tCOST")
	for _, r := range rules {
		cost := fmt.Sprintf("%.1f µs", float64(r.Cost)/float64(time.Microsecond))
		if r.Index {
			cost += " when its index finds it"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.Verb, r.ID, r.Place, cost)
	}
	return w.Flush()
}

// policyTest runs the tests of rules.
func (p *Program) policyTest(ctx context.Context, args []string) error {
	f := p.flags("policy test")
	file := ruleFlags(f)
	coverage := f.Bool("coverage", false, "say which lines of the rules no test runs")
	asJSON := f.Bool("json", false, "print JSON")
	words, err := parseMixed(f, args, 1)
	if err != nil {
		return err
	}
	b, err := p.ruleBook(ctx, *file, words)
	if err != nil {
		return err
	}
	report, err := rego.Test(ctx, b.options, *coverage)
	if err != nil {
		return err
	}
	failed := report.Failed()
	if *asJSON {
		err = json.NewEncoder(p.Stdout).Encode(report)
	} else {
		p.printTests(&report, *coverage)
	}
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d of %d tests failed", failed, len(report.Tests))
	}
	return err
}

func (p *Program) printTests(report *rego.TestReport, coverage bool) {
	for _, t := range report.Tests {
		if t.Problem != "" {
			fmt.Fprintf(p.Stdout, "%s: %s: %s\n", t.Place, t.Name, t.Problem)
		}
	}
	fmt.Fprintf(p.Stdout, "%d of %d tests are good\n", len(report.Tests)-report.Failed(), len(report.Tests))
	if !coverage {
		return
	}
	fmt.Fprintf(p.Stdout, "%.1f %% of the rules covered\n", report.Covered)
	for _, at := range report.Missing {
		fmt.Fprintf(p.Stdout, "%s: not covered\n", at)
	}
}

// policyFormat gives files of rules the form that opa fmt gives them.
func (p *Program) policyFormat(_ context.Context, args []string) error {
	f := p.flags("policy fmt")
	file := f.String("c", "", "configuration `file`, whose rules it is about where nothing else is named")
	check := f.Bool("check", false, "change nothing, and fail if there is something to change")
	words, err := parseMixed(f, args, 1000)
	if err != nil {
		return err
	}
	if len(words) == 0 {
		dir, err := p.rulesDir(*file)
		if err != nil {
			return err
		}
		words = []string{dir}
	}
	n := 0
	for _, word := range words {
		err := filepath.WalkDir(word, func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && name != word && strings.HasPrefix(d.Name(), "."):
				return fs.SkipDir
			case d.IsDir() || filepath.Ext(name) != ".rego":
				return nil
			}
			changed, err := p.formatFile(name, *check)
			if changed {
				n++
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if *check && n > 0 {
		return errors.New("not all files have their form; attache policy fmt changes them")
	}
	return nil
}

// rulesDir is the directory of a configuration's rules.
func (p *Program) rulesDir(file string) (string, error) {
	if file == "" {
		return "", fmt.Errorf("%w: name the directory of the rules, or files, or the configuration by -c", errUsage)
	}
	c, err := p.loadOffline(file)
	if err != nil {
		return "", err
	}
	if c.Policy.Source.Dir == "" {
		return "", errors.New("this configuration has no directory of rules in policy.dir")
	}
	return c.Policy.Source.Dir, nil
}

// formatFile names the file if there is something to change.
func (p *Program) formatFile(name string, check bool) (changed bool, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return false, err
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return false, err
	}
	formatted, changed, err := rego.Format(name, text)
	if err != nil || !changed {
		return false, err
	}
	fmt.Fprintln(p.Stdout, name)
	if check {
		return true, nil
	}
	return true, os.WriteFile(name, formatted, info.Mode().Perm())
}
