package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/attache-gateway/attache/extproc/ledger"
)

// usage prints sums of the ledger by key and model.
func (p *Program) usage(ctx context.Context, args []string) error {
	f := p.flags("usage")
	file := f.String("c", "", "configuration `file`")
	since := f.Duration("since", 0, "how far to look back, as 24h; all by default")
	asJSON := f.Bool("json", false, "print JSON")
	if err := parse(f, args); err != nil {
		return err
	}
	c, err := p.loadOffline(*file)
	if err != nil {
		return err
	}
	var from time.Time
	if *since > 0 {
		from = time.Now().Add(-*since)
	}
	sums, err := ledger.Sum(ctx, c.Ledger.SQLite, from)
	if err != nil {
		return err
	}
	if *asJSON {
		return json.NewEncoder(p.Stdout).Encode(sums)
	}
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "KEY\tTEAM\tMODEL\tREQUESTS\tERRORS\tHITS\tINPUT\tOUTPUT\tUSD\t")
	for _, s := range sums {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\t\n", orDash(s.Key), orDash(s.Team), orDash(s.Model), s.Requests, s.Errors, s.Hits, s.Input, s.Output, cost(s))
	}
	return w.Flush()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// cost is a dash where no price is known, and has a mark where it is not known
// for some of the requests.
func cost(t ledger.Total) string {
	switch {
	case t.Unpriced == 0:
		return dollars(t.CostNano)
	case t.CostNano == 0:
		return "-"
	}
	return ">" + dollars(t.CostNano)
}

// dollars writes nano-dollars with six digits behind the point.
func dollars(nano int64) string {
	micro := (nano + 999) / 1000
	return fmt.Sprintf("%d.%06d", micro/1_000_000, micro%1_000_000)
}
