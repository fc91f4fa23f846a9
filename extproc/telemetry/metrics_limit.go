package telemetry

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// A LimitState is how much of a limit or budget is used, of all its accounts.
type LimitState struct {
	Kind     string // limit or budget
	Name     string
	Accounts int64 // that used some of it
	Low      int64 // of these, those that have less than a tenth left
	Spent    int64 // of these, those that have less than a thousandth left
	Least    int64 // permille that the account with the least has left
	UsedNano int64 // by all together; of budgets
}

// The metrics of limits and budgets.
var (
	limitAccounts = described("attache_limit_accounts", "Accounts, such as keys or teams, that have used some of a limit or budget, by how much they have left. left: much, low (less than a tenth) or none (less than a thousandth).", "kind", "name", "left")
	limitLeast    = described("attache_limit_least_left_permille", "What the account that has the least left of a limit or budget has left, in thousandths.", "kind", "name")
	budgetUsed    = described("attache_budget_used_nano_dollars", "What all accounts together have used of a budget since it began anew, in 10^-9 dollars, with what is reserved.", "name")
	limitCrowded  = described("attache_limit_crowded_total", "Requests that were counted with those of others, since a limit has more accounts than are kept.")
	alertsLost    = described("attache_budget_alerts_lost_total", "Alerts of budgets that nobody was told, or not by the webhook.")
)

func (o output) limits(s *State) {
	for _, l := range s.Limits {
		o.gauge(limitAccounts, float64(l.Accounts-l.Low), l.Kind, l.Name, "much")
		o.gauge(limitAccounts, float64(l.Low-l.Spent), l.Kind, l.Name, "low")
		o.gauge(limitAccounts, float64(l.Spent), l.Kind, l.Name, "none")
		o.gauge(limitLeast, float64(l.Least), l.Kind, l.Name)
		if l.Kind == "budget" {
			o.gauge(budgetUsed, float64(l.UsedNano), l.Name)
		}
	}
	o.counter(limitCrowded, s.Crowded)
	o.counter(alertsLost, s.AlertsLost)
}

// alerts are the metrics of what was told of budgets.
type alerts struct {
	told *family[alertKey, prometheus.Counter]
}

type alertKey struct {
	budget   string
	permille int64
}

// maxAlerts is the most series, without those that end in other.
const maxAlerts = 200

func newAlerts(r prometheus.Registerer) alerts {
	told := counters(r, "attache_budget_alerts_total", "Alerts of budgets: an account has used so much of one. share_permille: thousandths.", "budget", "share_permille")
	return alerts{newFamily(maxAlerts,
		func(k alertKey) alertKey { return alertKey{other, k.permille} },
		func(k alertKey) prometheus.Counter {
			return told.WithLabelValues(labelOf(k.budget), strconv.FormatInt(k.permille, 10))
		})}
}

// BudgetAlert counts an alert.
func (a *alerts) BudgetAlert(budget string, permille int64) {
	a.told.get(alertKey{budget, permille}).Inc()
}
