package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// migrations bring a database from each version to the next. They are never
// changed, only added to.
var migrations = [...]string{`
CREATE TABLE exchanges (
	id             TEXT PRIMARY KEY,
	start_ns       INTEGER NOT NULL, -- Unix time
	duration_ns    INTEGER NOT NULL,
	first_token_ns INTEGER NOT NULL, -- from the start; 0: not seen
	key            TEXT NOT NULL,    -- its id
	org            TEXT NOT NULL,
	team           TEXT NOT NULL,
	owner          TEXT NOT NULL,    -- of the key
	user           TEXT NOT NULL,    -- as the client names its end user
	session        TEXT NOT NULL,
	properties     TEXT,             -- JSON, as all columns without NOT NULL
	op             TEXT NOT NULL,
	dialect        TEXT NOT NULL,
	path           TEXT NOT NULL,
	model          TEXT NOT NULL,    -- as asked for
	stream         INTEGER NOT NULL,
	target         TEXT NOT NULL,    -- provider/model; empty: the gateway answered
	provider       TEXT NOT NULL,
	attempts       TEXT,
	status         INTEGER NOT NULL, -- 0: the client got none
	code           TEXT NOT NULL,
	detail         TEXT NOT NULL,
	finish         TEXT NOT NULL,
	truncated      INTEGER NOT NULL,
	cancelled      INTEGER NOT NULL,
	input          INTEGER NOT NULL, -- tokens, as all below
	cache_read     INTEGER NOT NULL,
	cache_write    INTEGER NOT NULL,
	cache_write_1h INTEGER NOT NULL,
	output         INTEGER NOT NULL,
	reasoning      INTEGER NOT NULL,
	counted        INTEGER NOT NULL, -- by us, not reported
	cost_nano      INTEGER NOT NULL, -- nano-dollars
	unpriced       INTEGER NOT NULL,
	revision       TEXT NOT NULL,    -- of the policy
	rules          TEXT,
	labels         TEXT,
	verdicts       TEXT,
	warnings       TEXT
) STRICT;
CREATE INDEX exchanges_start ON exchanges (start_ns);
`, `
ALTER TABLE exchanges ADD COLUMN cache TEXT NOT NULL DEFAULT '';           -- hit, miss, off; empty: it was not asked
ALTER TABLE exchanges ADD COLUMN saved_nano INTEGER NOT NULL DEFAULT 0;    -- of a hit: nano-dollars that the answer had cost
`, `
ALTER TABLE exchanges ADD COLUMN limited_by TEXT NOT NULL DEFAULT '';      -- name of the limit that refused it or cut its response
ALTER TABLE exchanges ADD COLUMN cut INTEGER NOT NULL DEFAULT 0;           -- a limit ended the response
`}

// columns of the table.
const columns = 43

// insertExchanges inserts n rows.
func insertExchanges(n int) string {
	row := "(" + strings.Repeat("?, ", columns-1) + "?)"
	return "INSERT OR IGNORE INTO exchanges VALUES " + strings.Repeat(row+", ", n-1) + row
}

// migrate brings the tables up to date. The version is SQLite's user_version.
func migrate(ctx context.Context, db *sql.DB) error {
	var version int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return fmt.Errorf("ledger: open: %w", err)
	}
	if version > len(migrations) {
		return fmt.Errorf("ledger: the database has version %d, this program knows up to %d", version, len(migrations))
	}
	for v := version; v < len(migrations); v++ {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return fmt.Errorf("ledger: migrate: %w", err)
		}
		_, err = tx.ExecContext(ctx, migrations[v]+fmt.Sprintf("PRAGMA user_version = %d", v+1))
		if err == nil {
			err = tx.Commit()
		}
		if err != nil {
			tx.Rollback()
			return fmt.Errorf("ledger: migrate to version %d: %w", v+1, err)
		}
	}
	return nil
}
