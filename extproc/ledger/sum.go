package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"time"
)

// A Total is the sum of the records of one key and model.
type Total struct {
	Key       string `json:"key"`
	Team      string `json:"team"`
	Model     string `json:"model"` // the target that answered, or else as asked for
	Requests  int64  `json:"requests"`
	Errors    int64  `json:"errors"` // statuses of 400 and above
	Truncated int64  `json:"truncated"`
	Input     int64  `json:"input_tokens"`
	CacheRead int64  `json:"cache_read_tokens"`
	Output    int64  `json:"output_tokens"`
	CostNano  int64  `json:"cost_nano_usd"`
	Unpriced  int64  `json:"unpriced"`       // requests to targets without a known price
	Hits      int64  `json:"cache_hits"`     // requests that the cache answered; they cost nothing
	SavedNano int64  `json:"saved_nano_usd"` // that these answers had cost
}

const sumExchanges = `
SELECT key, team, CASE target WHEN '' THEN model ELSE target END AS what,
	count(*), sum(status >= 400), sum(truncated), sum(input), sum(cache_read), sum(output), sum(cost_nano), sum(unpriced),
	sum(cache = 'hit'), sum(saved_nano)
FROM exchanges WHERE start_ns >= ? GROUP BY key, team, what ORDER BY sum(cost_nano) DESC, count(*) DESC, key, what LIMIT 10000`

// Sum adds up the records since a time of the database at path, which may be in
// use.
func Sum(ctx context.Context, path string, since time.Time) ([]Total, error) {
	db, err := reader(path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	var from int64
	if !since.IsZero() {
		from = since.UnixNano()
	}
	rows, err := db.QueryContext(ctx, sumExchanges, from)
	if err != nil {
		return nil, fmt.Errorf("ledger: sum: %w", err)
	}
	defer rows.Close()
	var totals []Total
	for rows.Next() {
		var t Total
		if err := rows.Scan(&t.Key, &t.Team, &t.Model, &t.Requests, &t.Errors, &t.Truncated, &t.Input, &t.CacheRead, &t.Output, &t.CostNano, &t.Unpriced, &t.Hits, &t.SavedNano); err != nil {
			return nil, fmt.Errorf("ledger: sum: %w", err)
		}
		totals = append(totals, t)
	}
	return totals, rows.Err()
}

// reader opens a database that is there, and may be in use, to read it.
func reader(path string) (*sql.DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("ledger: no records yet: %w", err)
	}
	return open(path, "rw") // a reader of a write-ahead log writes its index
}
