package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/attache-gateway/attache/extproc/config"
	"github.com/attache-gateway/attache/extproc/ledger"
)

// usage prints sums of the ledger by key and model.
func (p *Program) usage(ctx context.Context, args []string) error {
	f := p.flags("usage")
	file := f.String("c", "", "configuration `file`")
	since := f.Duration("since", 0, "how far to look back, as 24h; all by default")
	budgets := f.Bool("budgets", false, "what was spent of the budgets, by account, instead")
	asJSON := f.Bool("json", false, "print JSON")
	if err := parse(f, args); err != nil {
		return err
	}
	if *budgets && *since > 0 {
		return fmt.Errorf("%w: each budget has a window of its own, so -since does not go with -budgets", errUsage)
	}
	c, err := p.loadOffline(*file)
	if err != nil {
		return err
	}
	if *budgets {
		return p.spent(ctx, c, *asJSON)
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

// A spending is what one account has used of a budget, by the ledger.
type spending struct {
	Budget    string    `json:"budget"`
	Account   string    `json:"account"` // empty: of all that have none
	UsedNano  int64     `json:"used_nano_usd"`
	LimitNano int64     `json:"limit_nano_usd"`
	Since     time.Time `json:"since"`
	Resets    time.Time `json:"resets"`
}

// maxSpending is how many accounts of each budget are shown: those that used most.
const maxSpending = 1000

// spent prints what accounts have used of the budgets.
func (p *Program) spent(ctx context.Context, c *config.Config, asJSON bool) error {
	all := []spending{}
	for i := range c.Budgets {
		b := &c.Budgets[i]
		since, until := b.Period(time.Now(), c.Zone)
		used, err := ledger.Used(ctx, c.Ledger.SQLite, b.Per, nil, since, maxSpending)
		if err != nil {
			return err
		}
		for _, u := range used {
			all = append(all, spending{b.Name, u.Account, u.CostNano, b.CostNano, since, until})
		}
	}
	if asJSON {
		return json.NewEncoder(p.Stdout).Encode(all)
	}
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "BUDGET\tACCOUNT\tUSD\tOF\tRESETS\t")
	for _, s := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t\n", s.Budget, orDash(s.Account), dollars(s.UsedNano), dollars(s.LimitNano), s.Resets.Format(time.DateOnly))
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
