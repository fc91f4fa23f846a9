// Command bench measures what Attaché costs: CPU time per request, added
// latency and memory of plain Envoy, of Envoy with an ext_proc server that only
// answers "go on" (the floor), and of Envoy with Attaché, and what its policy
// costs, in one run. README.md has the method and results.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are what the flags say.
type options struct {
	rounds    int
	duration  time.Duration // of the load on one setup in one round
	scenarios string        // names, with commas between them; empty: all
	against   string        // path of another attache to measure as well
	json      bool
}

func parseFlags(args []string, progress io.Writer) (o options, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(progress)
	f.IntVar(&o.rounds, "rounds", 3, "how often everything is measured; the results are medians")
	f.DurationVar(&o.duration, "duration", time.Second, "of the load on one setup in one round")
	f.StringVar(&o.scenarios, "scenario", "", "`names` of what to measure, with commas between them: "+strings.Join(scenarioNames(), ", "))
	f.StringVar(&o.against, "against", "", "`path` of another build of attache to measure in the same rounds")
	f.BoolVar(&o.json, "json", false, "print JSON")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 || o.rounds < 1 || o.duration <= 0 {
		return o, fmt.Errorf("wrong use: %s", strings.Join(args, " "))
	}
	return o, nil
}

// run prints the results to out. It fails if any request did.
func run(ctx context.Context, args []string, out, progress io.Writer) error {
	o, err := parseFlags(args, progress)
	if err != nil {
		return err
	}
	chosen, policy, err := choose(o.scenarios)
	if err != nil {
		return err
	}
	r := report{Machine: machine(), Rounds: o.rounds, DurationMS: o.duration.Milliseconds()}
	if policy {
		fmt.Fprintln(progress, "policy")
		if r.Policies, r.Reload, err = policies(ctx, o); err != nil {
			return err
		}
	}
	if len(chosen) > 0 {
		if err := r.load(ctx, chosen, o, progress); err != nil {
			return err
		}
	}
	if o.json {
		e := json.NewEncoder(out)
		e.SetIndent("", "\t")
		return e.Encode(r)
	}
	return r.print(out, chosen)
}

// load measures the servers.
func (r *report) load(ctx context.Context, chosen []scenario, o options, progress io.Writer) error {
	b, err := setUp(ctx, o.against, progress)
	if err != nil {
		return err
	}
	defer b.close()
	if r.Memory, err = b.memory(ctx); err != nil {
		return err
	}
	samples, err := b.measure(ctx, chosen, o)
	r.Cells = medians(samples)
	return err
}
