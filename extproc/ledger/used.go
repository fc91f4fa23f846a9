package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// A Use is what the requests of one account used.
type Use struct {
	Account  string // empty: of all requests that have none
	Requests int64
	Tokens   int64 // input and output
	CostNano int64
}

// accounts are the columns that say whose a request is, by what limits are per. A
// property is in a column with others.
var accounts = map[string]string{
	"key": "key", "team": "team", "org": "org", "session": "session", "model": "target", "provider": "provider",
	"user": "CASE user WHEN '' THEN owner ELSE user END",
}

// sumUses counts the requests that limits count: those that went to a provider or
// were answered by the cache, and those that were refused later than by a limit.
const sumUses = `
SELECT %s AS account, sum(attempts IS NOT NULL OR cache = 'hit' OR code IN ('guard_blocked', 'guard_error')), sum(input + output), sum(cost_nano)
FROM exchanges WHERE start_ns >= ? %s GROUP BY account ORDER BY sum(cost_nano) DESC, sum(input + output) DESC LIMIT ?`

// ofRules are the requests for which one of some rules held, by their ids.
const ofRules = `AND EXISTS (SELECT 1 FROM json_each(rules) WHERE value IN (SELECT value FROM json_each(?)))`

// Used adds up what was used since a time, by account: of each key, team and so on,
// as per says, which is that of a gateway.Limit. With rules it counts the requests
// for which one of these held. It returns those that used most, as many as the limit
// says. The database at path may be in use.
func Used(ctx context.Context, path, per string, rules []string, since time.Time, limit int) ([]Use, error) {
	account, args := accounts[per], []any{}
	if name, ok := strings.CutPrefix(per, "property."); ok {
		account, args = "coalesce(json_extract(properties, ?), '')", []any{`$."` + name + `"`}
	}
	if account == "" {
		return nil, fmt.Errorf("ledger: there are no accounts per %q", per)
	}
	args, where := append(args, since.UnixNano()), ""
	if len(rules) > 0 {
		where, args = ofRules, append(args, document(rules, len(rules)))
	}
	db, err := reader(path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, fmt.Sprintf(sumUses, account, where), append(args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("ledger: used: %w", err)
	}
	defer rows.Close()
	var uses []Use
	for rows.Next() {
		var u Use
		if err := rows.Scan(&u.Account, &u.Requests, &u.Tokens, &u.CostNano); err != nil {
			return nil, fmt.Errorf("ledger: used: %w", err)
		}
		uses = append(uses, u)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("ledger: used: %w", err)
	}
	return uses, nil
}
