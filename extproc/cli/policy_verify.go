package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/attache-gateway/attache/extproc/telemetry"
)

// policyCommands are the words behind attache policy.
var policyCommands = []command{
	{"policy verify", "[--json] FILE...", "check that logs of decisions are as they were written", (*Program).policyVerify},
}

// policy runs a command about the policy.
func (p *Program) policy(ctx context.Context, args []string) error {
	for _, c := range policyCommands {
		if len(args) > 0 && c.name == "policy "+args[0] {
			return c.run(p, ctx, args[1:])
		}
	}
	words := ""
	for _, c := range policyCommands {
		words += "\n  attache " + c.name + " " + c.args + ": " + c.short
	}
	return fmt.Errorf("%w: say what to do:%s", errUsage, words)
}

// policyVerify checks the chains of decision logs.
func (p *Program) policyVerify(_ context.Context, args []string) error {
	f := p.flags("policy verify")
	asJSON := f.Bool("json", false, "print JSON")
	if err := f.Parse(args); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if f.NArg() == 0 {
		return fmt.Errorf("%w: name the files of the log", errUsage)
	}
	chains, err := telemetry.Verify(f.Args()...)
	if err != nil {
		return err
	}
	if *asJSON {
		return json.NewEncoder(p.Stdout).Encode(chains)
	}
	for _, c := range chains {
		fmt.Fprintf(p.Stdout, "chain %s is good: lines %d to %d, last hash %s\n", c.Chain, c.First, c.Last, c.Head)
		if c.First > 1 {
			fmt.Fprintf(p.Stdout, "  lines 1 to %d are in files that are not here\n", c.First-1)
		}
		if c.Cut != "" {
			fmt.Fprintf(p.Stdout, "  the last line of %s is cut: it was being written\n", c.Cut)
		}
	}
	if len(chains) == 0 {
		fmt.Fprintln(p.Stdout, "there are no lines")
	}
	return nil
}
