// Package cli is the commands of attache. It puts the parts together: it alone
// knows configuration, gateway, adapters and Envoy's side at once, and what a
// person or a script sees of them.
//
// It does not know how any of them works.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/attache-gateway/attache/extproc/config"
)

// A Program is attache with what it needs of the world.
type Program struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Env            func(string) (string, bool)
	Context        context.Context // its end ends a command, as a signal does; nil: signals alone do
}

// Exit codes.
const (
	exitGood   = 0
	exitFailed = 1
	exitUsage  = 2
)

// A command is what a word behind attache does, or two words.
type command struct {
	name  string
	args  string
	short string
	run   func(p *Program, ctx context.Context, args []string) error
}

// commands are all commands, in the order of the help.
var commands = []command{
	{"serve", "-c FILE", "run the gateway; Envoy runs elsewhere", (*Program).serve},
	{"up", "[-c FILE]", "run the gateway and Envoy together", (*Program).up},
	{"envoy", "-c FILE [--for 1.40|1.39]", "print the configuration for Envoy", (*Program).envoy},
	{"check", "-c FILE", "find everything wrong that can be known before starting", (*Program).check},
	{"policy check", rulesArgs + " [--json]", "what check does for rules alone, with what they cost", (*Program).policyCheck},
	{"policy test", rulesArgs + " [--coverage] [--json]", "run the tests of rules", (*Program).policyTest},
	{"policy eval", rulesArgs + " -i INPUT", "print the decision about a request", (*Program).policyEval},
	{"policy explain", rulesArgs + " -i INPUT | --id ID [--log FILE] [--json]", "say why a decision is as it is", (*Program).policyExplain},
	{"policy replay", rulesArgs + " [--candidate DIR] [--since 1h] [--log FILE] [--fail-on 'new-deny>0.1%'] [--json]", "run recorded requests through other rules", (*Program).policyReplay},
	{"policy bench", rulesArgs + " [-i INPUT]... [--log FILE] [--json]", "measure what decisions cost", (*Program).policyBench},
	{"policy fmt", "[-c FILE] [--check] [DIR|FILE...]", "give rules their usual form", (*Program).policyFormat},
	{"policy verify", "[--json] FILE...", "check that logs of decisions are as they were written", (*Program).policyVerify},
	{"keys", "new|list|revoke -c FILE", "make, list and revoke the keys of callers", (*Program).keys},
	{"usage", "-c FILE [--since 24h] [--json]", "sum up requests, tokens and cost by key and model", (*Program).usage},
}

// errUsage is a wrong use of a command, which is not the same as its failure.
var errUsage = errors.New("wrong use")

// Run runs the command that args name and returns the exit code: 0 good, 1
// failed, 2 wrong use.
func (p *Program) Run(args []string) int {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		p.help(p.Stdout)
		return exitGood
	}
	for _, c := range commands {
		words := strings.Fields(c.name)
		if n := len(words); len(args) >= n && slices.Equal(words, args[:n]) {
			return p.exit(c, args[n:])
		}
	}
	fmt.Fprintf(p.Stderr, "attache: there is no command %q\n\n", strings.Join(args[:min(len(args), 2)], " "))
	p.help(p.Stderr)
	return exitUsage
}

func (p *Program) exit(c command, args []string) int {
	ctx := p.Context
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := c.run(p, ctx, args)
	switch {
	case err == nil:
		return exitGood
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(p.Stderr, "\nattache %s %s: %s\n", c.name, c.args, c.short)
		return exitGood
	case errors.Is(err, errUsage):
		fmt.Fprintf(p.Stderr, "attache %s: %v\nusage: attache %s %s\n", c.name, err, c.name, c.args)
		return exitUsage
	}
	fmt.Fprintf(p.Stderr, "attache %s: %v\n", c.name, err)
	return exitFailed
}

func (p *Program) help(w io.Writer) {
	fmt.Fprintln(w, "attache: an AI gateway for Envoy\n\ncommands:")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-14s  %s\n  %14s    %s\n", c.name, c.short, "", c.args)
	}
	fmt.Fprintln(w, "\nexit codes: 0 good, 1 failed, 2 wrong use")
}

// load reads the configuration that -c names.
func (p *Program) load(file string) (*config.Config, error) {
	if file == "" {
		return nil, fmt.Errorf("%w: -c is missing", errUsage)
	}
	return config.Load(file, p.Env)
}

// loadOffline is load for commands that call no provider: the providers' keys
// need not be in the environment of who runs them.
func (p *Program) loadOffline(file string) (*config.Config, error) {
	if file == "" {
		return nil, fmt.Errorf("%w: -c is missing", errUsage)
	}
	return config.Load(file, func(name string) (string, bool) {
		if v, ok := p.Env(name); ok {
			return v, true
		}
		return "not-set", true
	})
}

// flags returns a flag set whose errors are wrong uses.
func (p *Program) flags(name string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(p.Stderr)
	return f
}

// parse reads flags and refuses what is left.
func parse(f *flag.FlagSet, args []string) error {
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if f.NArg() > 0 {
		return fmt.Errorf("%w: unexpected %q", errUsage, f.Arg(0))
	}
	return nil
}
