package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/attache-gateway/attache/extproc/telemetry"
)

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
