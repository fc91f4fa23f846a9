package cli

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/attache-gateway/attache/extproc/alert"
	"github.com/attache-gateway/attache/extproc/config"
	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/inmem"
	"github.com/attache-gateway/attache/extproc/ledger"
	"github.com/attache-gateway/attache/extproc/llm"
	"github.com/attache-gateway/attache/extproc/rego"
)

// A counting is what limits and budgets are counted with. It outlives
// configurations, so that a reload gives nobody anything anew. It is a
// gateway.Sink: it looks at the budgets of each request that has ended.
type counting struct {
	log    *slog.Logger
	ledger string // path of the database
	store  *inmem.Limits
	alerts *alert.Alerts

	bounds atomic.Pointer[bounds] // in force

	// By this program, from when they came into force. Who changes what is in force
	// does not do so twice at once.
	counted map[windowKind]bool
}

// A windowKind is a kind of limits by the calendar.
type windowKind struct {
	gateway.LimitKind
	zone string
}

// bounds are the limits and budgets of a configuration.
type bounds struct {
	limits  []gateway.Limit
	budgets []gateway.Limit
	alerts  []alert.Budget // of the budgets
	zone    *time.Location
}

func boundsOf(c *config.Config) *bounds {
	b := &bounds{limits: c.Limits, zone: c.Zone}
	for i := range c.Budgets {
		from := &c.Budgets[i]
		b.budgets = append(b.budgets, from.Limit)
		b.alerts = append(b.alerts, alert.Budget{Name: from.Name, Per: from.Per, Shares: from.Alerts, Webhook: from.Webhook})
	}
	return b
}

// all returns the limits and then the budgets.
func (b *bounds) all() []gateway.Limit { return slices.Concat(b.limits, b.budgets) }

// windows are the limits by the calendar of a configuration and of some rules, any
// of which may be nil.
func (b *bounds) windows(policies ...*rego.Policy) (all []rego.Window) {
	for _, l := range b.all() {
		if l.Window != "" {
			all = append(all, rego.Window{Limit: l})
		}
	}
	for _, p := range policies {
		if p != nil {
			all = append(all, p.Windows()...)
		}
	}
	return all
}

func (b *bounds) kindOf(w *rego.Window) windowKind { return windowKind{w.Kind(), b.zone.String()} }

// newCounting returns one without limits, for which a ledger knows what was used
// before.
func newCounting(log *slog.Logger, ledger string, alerted func(budget string, permille int64)) *counting {
	n := &counting{log: log, ledger: ledger, store: inmem.NewLimits(log), alerts: alert.New(log, alerted)}
	n.bounds.Store(&bounds{})
	return n
}

// put notes what is in force from now on.
func (n *counting) put(b *bounds, live *rego.Policy) {
	n.bounds.Store(b)
	n.counted = map[windowKind]bool{}
	for _, w := range b.windows(live) {
		n.counted[b.kindOf(&w)] = true
	}
}

// limits is where to count. Without a counting it is a place of which nobody knows.
func (n *counting) limits(log *slog.Logger) gateway.Limits {
	if n == nil {
		return inmem.NewLimits(log)
	}
	return n.store
}

// maxSeeded bounds the accounts of one kind that are taken over from the ledger:
// those that used most.
const maxSeeded = 100_000

// seed takes over from the ledger what was used in the calendar windows of what
// will be in force before this program counted it, as at a start.
func (n *counting) seed(ctx context.Context, b *bounds, now time.Time, policies ...*rego.Policy) error {
	known := maps.Clone(n.counted)
	if known == nil {
		known = map[windowKind]bool{}
	}
	for _, w := range b.windows(policies...) {
		if k := b.kindOf(&w); !known[k] {
			known[k] = true
			if err := n.seedKind(ctx, &w, b.zone, now); err != nil {
				return err
			}
		}
	}
	return nil
}

func (n *counting) seedKind(ctx context.Context, w *rego.Window, zone *time.Location, now time.Time) error {
	since, _ := w.Period(now, zone)
	begun := time.Now()
	used, err := ledger.Used(ctx, n.ledger, w.Per, w.Rules, since, maxSeeded)
	if err != nil {
		return err
	}
	n.log.Info("the ledger says what was used before", "limit", w.Name, "per", w.Per, "window", w.Window, "accounts", len(used), "took", time.Since(begun).Round(time.Millisecond))
	for _, u := range used {
		claim := gateway.Claim{Limit: &w.Limit, Account: gateway.AccountName(u.Account), Zone: zone, Amount: gateway.Amount{Requests: u.Requests, Tokens: u.Tokens, CostNano: u.CostNano}}
		if err := n.store.Seed(now, claim); err != nil {
			return err
		}
	}
	return nil
}

// known notes that the alerts about what is used already were given, before this
// program started.
func (n *counting) known(b *bounds, now time.Time) {
	for i := range b.budgets {
		for account, left := range n.store.All(now, gateway.Claim{Limit: &b.budgets[i], Zone: b.zone}) {
			n.alerts.Known(&b.alerts[i], stateOf(account, &left), now)
		}
	}
}

// Record looks at the budgets of a request that has ended.
func (n *counting) Record(r *gateway.Record) {
	b := n.bounds.Load()
	now := r.Start.Add(r.Duration)
	for i := range b.budgets {
		l := &b.budgets[i]
		if len(b.alerts[i].Shares) == 0 || r.Target == "" && (l.Per == "model" || l.Per == "provider") {
			continue
		}
		var left [1]gateway.Left
		claim := [1]gateway.Claim{{Limit: l, Account: r.Account(l.Per), Zone: b.zone}}
		if err := n.store.Left(context.Background(), now, claim[:], left[:]); err != nil {
			n.log.Error("a budget cannot be looked at", "budget", l.Name, "error", err)
			continue
		}
		state := stateOf(claim[0].Account, &left[0])
		state.Refused = b.spent(r, l.Name)
		n.alerts.Saw(&b.alerts[i], state, now)
	}
}

// spent reports whether a request was refused or cut since too little was left of a
// budget. Of a limit that has the same name it is not known which of the two it was.
func (b *bounds) spent(r *gateway.Record, name string) bool {
	return r.Limit == name && r.Code == llm.CodeQuota && !slices.ContainsFunc(b.limits, func(l gateway.Limit) bool { return l.Name == name })
}

func stateOf(account string, l *gateway.Left) alert.State {
	return alert.State{Account: account, Limit: l.Max.CostNano, Used: l.Used.CostNano, Resets: l.Resets}
}
