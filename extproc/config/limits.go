package config

import (
	"cmp"
	"errors"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones are known on machines that have none

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A Budget is a limit of money, and whom to tell how much of it is used.
type Budget struct {
	gateway.Limit
	Alerts  []int64        // permille of the limit, the smallest first
	Webhook gateway.Secret // URL, which is often all that it takes to use it; empty: none
}

// maxLimits bounds the limits, and the budgets: of those per model a request has a
// claim for each of its targets, and gateway.MaxClaims at most.
const maxLimits = 16

// limits reads the list of limits. A limit has one period.
func (r *reader) limits(c *Config, v value) {
	taken := map[string]bool{}
	r.list(func(v value) {
		var name, per string
		var requests, tokens quantity
		concurrent := -1
		r.object(v, map[string]field{
			"name":       parsed(r, &name, parseLimitName),
			"per":        parsed(r, &per, parsePer),
			"requests":   parsed(r, &requests, parseQuantity),
			"tokens":     parsed(r, &tokens, parseQuantity),
			"concurrent": r.integer(&concurrent, 1, math.MaxInt32),
		})
		r.missing(join(v.path, "per"), "is missing; it is one of %s", perWords)
		if !r.has(join(v.path, "requests")) && !r.has(join(v.path, "tokens")) && !r.has(join(v.path, "concurrent")) && !r.wrong(v.path) {
			r.problem(v.path, "limits nothing; it needs requests, tokens or concurrent")
		}
		first := cmp.Or(requests, tokens)
		l := first.limit(r.limitName(v, taken, name, per), per)
		l.Requests, l.Concurrent = cmp.Or(requests.n, -1), int64(concurrent)
		if tokens.n > 0 {
			l.Tokens = tokens.n
		}
		if tokens.n > 0 && tokens.per != first.per {
			r.problem(join(v.path, "tokens"), "is for another period than requests; a second limit with a name of its own can say it")
		}
		c.Limits = append(c.Limits, l)
	})(v)
	r.atMost(v, len(c.Limits))
}

func (r *reader) budgets(c *Config, v value) {
	taken := map[string]bool{}
	r.list(func(v value) {
		var b Budget
		var name, per string
		var usd quantity
		unpriced := Deny
		r.object(v, map[string]field{
			"name":     parsed(r, &name, parseLimitName),
			"per":      parsed(r, &per, parsePer),
			"usd":      parsed(r, &usd, parseSpending),
			"alert":    r.list(func(v value) { r.alert(&b, v) }),
			"webhook":  parsed(r, &b.Webhook, parseWebhook),
			"unpriced": r.choice(&unpriced, Deny, Allow),
		})
		r.missing(join(v.path, "per"), "is missing; it is one of %s", perWords)
		r.missing(join(v.path, "usd"), "is missing; it is an amount and a period, as 200/month")
		if !b.Webhook.Empty() && !r.has(join(v.path, "alert")) {
			r.problem(join(v.path, "webhook"), "is never called without alert, as [80%%, 100%%]")
		}
		slices.Sort(b.Alerts)
		b.Limit = usd.limit(r.limitName(v, taken, name, per), per)
		b.CostNano, b.Unpriced = usd.n, unpriced == Allow
		c.Budgets = append(c.Budgets, b)
	})(v)
	r.atMost(v, len(c.Budgets))
}

// alert reads a share of a budget.
func (r *reader) alert(b *Budget, v value) {
	var permille int64
	parsed(r, &permille, parsePercent)(v)
	if permille == 0 {
		return
	}
	if slices.Contains(b.Alerts, permille) {
		r.problem(v.path, "is there twice")
	}
	b.Alerts = append(b.Alerts, permille)
}

// limitName is a limit's name: what it is per, if it has none of its own.
func (r *reader) limitName(v value, taken map[string]bool, name, per string) string {
	if name == "" {
		name = strings.TrimPrefix(per, "property.")
	}
	if name != "" && taken[name] {
		r.problem(join(v.path, "name"), "another one has the name %q; where none is written, it is what the limit is per", name)
	}
	taken[name] = true
	return name
}

func (r *reader) atMost(v value, n int) {
	if n > maxLimits {
		r.problem(v.path, "there are %d; %d are allowed", n, maxLimits)
	}
}

var limitName = regexp.MustCompile(`^[a-z0-9_-]{1,63}$`)

func parseLimitName(s string) (string, error) {
	if !limitName.MatchString(s) {
		return "", errors.New("may have lower-case letters, digits, dashes and underscores, 63 at most")
	}
	return s, nil
}

const perWords = "key, team, org, user, session, model, provider, property.NAME"

var perPattern = regexp.MustCompile(`^(key|team|org|user|session|model|provider|property\.[a-z0-9_-]{1,64})$`)

func parsePer(s string) (string, error) {
	if !perPattern.MatchString(s) {
		return "", errors.New("must be one of " + perWords)
	}
	return s, nil
}

// A quantity is so much in a period.
type quantity struct {
	n       int64
	per     string // as written; empty: none was read
	seconds int64  // of a sliding window; 0: it goes by the calendar
	window  string // of the calendar
}

// The periods. What is shorter than a day slides, since nobody waits for the
// full hour; from a day on it is what bills and plans go by.
var periods = map[string]quantity{
	"s": {seconds: 1}, "min": {seconds: 60}, "h": {seconds: 3600},
	"day": {window: gateway.WindowDay}, "week": {window: gateway.WindowWeek}, "month": {window: gateway.WindowMonth},
}

// limit returns a limit of the quantity's period that limits nothing yet.
func (q quantity) limit(name, per string) gateway.Limit {
	return gateway.Limit{Name: name, Per: per, Window: q.window, WindowS: q.seconds, Requests: -1, Tokens: -1, CostNano: -1, Concurrent: -1}
}

var (
	count      = regexp.MustCompile(`^([0-9][0-9_]*)([kM]?)$`)
	multiplier = map[string]int64{"": 1, "k": 1e3, "M": 1e6}
)

// parseQuantity reads a count and its period, as 100k/min.
func parseQuantity(s string) (quantity, error) {
	amount, per, _ := strings.Cut(s, "/")
	q, known := periods[per]
	m := count.FindStringSubmatch(amount)
	if !known || m == nil {
		return quantity{}, errors.New("must be a number, and /s, /min, /h, /day, /week or /month, such as 60/min or 100k/day")
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(m[1], "_", ""), 10, 64)
	if err != nil || n < 1 || n > 1e15/multiplier[m[2]] {
		return quantity{}, errors.New("must be a number from 1 to 1000000000M")
	}
	q.n, q.per = n*multiplier[m[2]], per
	return q, nil
}

// parseSpending reads an amount of dollars and its period, as 200/month.
func parseSpending(s string) (quantity, error) {
	amount, per, _ := strings.Cut(s, "/")
	q := periods[per]
	n, err := parseDollars(amount)
	if err != nil || q.window == "" {
		return quantity{}, errors.New("must be an amount in dollars, and /day, /week or /month, such as 200/month or 0.50/day")
	}
	if n == 0 {
		return quantity{}, errors.New("must be more than nothing")
	}
	q.n, q.per = n, per
	return q, nil
}

// parseWebhook reads a URL. Those of many services have a token in their path or
// query.
func parseWebhook(s string) (gateway.Secret, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return gateway.Secret{}, errors.New("must be a whole URL that begins with https:// or http://")
	case u.User != nil || u.Fragment != "":
		return gateway.Secret{}, errors.New("must not have a user, a password or a fragment")
	}
	return parseSecret(s)
}

// parseZone reads a time zone's name. Local is none: it is another one on
// another machine.
func parseZone(s string) (*time.Location, error) {
	zone, err := time.LoadLocation(s)
	if err != nil || s == "" || s == "Local" {
		return nil, errors.New("must be the name of a time zone, such as Europe/Berlin or UTC")
	}
	return zone, nil
}
