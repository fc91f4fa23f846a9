package cli

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/telemetry"
)

// A limitView is what GET /api/limits shows of one limit or budget.
type limitView struct {
	Name     string        `json:"name"`
	Per      string        `json:"per"`
	Window   string        `json:"window,omitempty"`   // day, week or month
	WindowS  int64         `json:"window_s,omitempty"` // seconds, sliding
	Max      amounts       `json:"max"`
	Accounts int64         `json:"accounts"`  // that have used some of it
	MostUsed []accountView `json:"most_used"` // those that have the least left, first
}

// An accountView is what one account has used.
type accountView struct {
	Account      string    `json:"account"` // empty: of all that have none
	LeftPermille int64     `json:"left_permille"`
	Used         amounts   `json:"used"`
	Left         amounts   `json:"left"`
	Resets       time.Time `json:"resets"` // when it begins anew, or nothing of what is used counts any more
}

// amounts are those of a limit that are limited.
type amounts struct {
	Requests   *int64 `json:"requests,omitempty"`
	Tokens     *int64 `json:"tokens,omitempty"`
	CostNano   *int64 `json:"cost_nano,omitempty"`
	Concurrent *int64 `json:"concurrent,omitempty"`
}

// amountsOf keeps of an amount what a limit says something of.
func amountsOf(a, most gateway.Amount) (v amounts) {
	for _, m := range [...]struct {
		most, n int64
		to      **int64
	}{
		{most.Requests, a.Requests, &v.Requests}, {most.Tokens, a.Tokens, &v.Tokens},
		{most.CostNano, a.CostNano, &v.CostNano}, {most.Concurrent, a.Concurrent, &v.Concurrent},
	} {
		if m.most >= 0 {
			*m.to = &m.n
		}
	}
	return v
}

// How many accounts of each limit are shown.
const (
	usualTop = 20
	maxTop   = 1000
)

// showLimits answers GET /api/limits?top=N.
func (s *service) showLimits(w http.ResponseWriter, r *http.Request) {
	top := usualTop
	if q := r.URL.Query().Get("top"); q != "" {
		n, err := strconv.Atoi(q)
		if err != nil || n < 0 || n > maxTop {
			refuse(w, http.StatusBadRequest, "invalid_request", "top must be a number from 0 to 1000")
			return
		}
		top = n
	}
	b, now := s.counting.bounds.Load(), time.Now()
	v := struct {
		Zone    string      `json:"timezone"`
		Limits  []limitView `json:"limits"`
		Budgets []limitView `json:"budgets"`
	}{b.zone.String(), []limitView{}, []limitView{}}
	for i := range b.limits {
		v.Limits = append(v.Limits, s.counting.view(&b.limits[i], b.zone, now, top))
	}
	for i := range b.budgets {
		v.Budgets = append(v.Budgets, s.counting.view(&b.budgets[i], b.zone, now, top))
	}
	reply(w, http.StatusOK, v)
}

// view collects the accounts of a limit that have the least left.
func (n *counting) view(l *gateway.Limit, zone *time.Location, now time.Time, top int) limitView {
	v := limitView{Name: l.Name, Per: l.Per, Window: l.Window, WindowS: l.WindowS, Max: amountsOf(l.Max(), l.Max()), MostUsed: []accountView{}}
	for account, left := range n.store.All(now, gateway.Claim{Limit: l, Zone: zone}) {
		if left.Used == (gateway.Amount{}) {
			continue
		}
		v.Accounts++
		one := accountView{account, left.Permille(), amountsOf(left.Used, left.Max), amountsOf(left.Left, left.Max), left.Resets}
		if at, _ := slices.BinarySearchFunc(v.MostUsed, one, moreUsed); at < top {
			v.MostUsed = slices.Insert(v.MostUsed, at, one)
			v.MostUsed = v.MostUsed[:min(len(v.MostUsed), top)]
		}
	}
	return v
}

// moreUsed sorts those that have less left before others.
func moreUsed(a, b accountView) int {
	return cmp.Or(cmp.Compare(a.LeftPermille, b.LeftPermille), cmp.Compare(a.Account, b.Account))
}

// states are how much of each limit is used, for the metrics.
func (n *counting) states(now time.Time) (all []telemetry.LimitState) {
	b := n.bounds.Load()
	for _, of := range [...]struct {
		kind   string
		limits []gateway.Limit
	}{{"limit", b.limits}, {"budget", b.budgets}} {
		for i := range of.limits {
			all = append(all, n.state(of.kind, &of.limits[i], b.zone, now))
		}
	}
	return all
}

func (n *counting) state(kind string, l *gateway.Limit, zone *time.Location, now time.Time) telemetry.LimitState {
	s := telemetry.LimitState{Kind: kind, Name: l.Name, Least: 1000}
	for _, left := range n.store.All(now, gateway.Claim{Limit: l, Zone: zone}) {
		if left.Used == (gateway.Amount{}) {
			continue
		}
		permille := left.Permille()
		s.Accounts++
		s.UsedNano += left.Used.CostNano
		s.Least = min(s.Least, permille)
		if permille < 100 {
			s.Low++
		}
		if permille == 0 {
			s.Spent++
		}
	}
	return s
}
