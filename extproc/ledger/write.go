package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

const (
	batchSize = 512
	// batchTime bounds one try to write a batch, tries how often it is tried.
	batchTime = 10 * time.Second
	tries     = 6
	// maxDetail bounds what is kept of an error's text, in bytes.
	maxDetail = 4 << 10
)

// write takes records from the queue until it is closed.
func (l *Ledger) write() {
	defer close(l.ended)
	batch := make([]*gateway.Record, 0, batchSize)
	for r := range l.queue {
		batch = l.collect(append(batch[:0], r))
		l.store(batch)
		clear(batch)
	}
}

// collect adds what arrives until the batch is full or its first record has
// waited long enough.
func (l *Ledger) collect(batch []*gateway.Record) []*gateway.Record {
	due := time.NewTimer(l.every)
	defer due.Stop()
	for len(batch) < batchSize {
		select {
		case r, ok := <-l.queue:
			if !ok {
				return batch
			}
			batch = append(batch, r)
		case <-due.C:
			return batch
		}
	}
	return batch
}

// store tries until the batch is written, or gives it up.
func (l *Ledger) store(batch []*gateway.Record) {
	pause := 50 * time.Millisecond
	for try := 1; ; try++ {
		ctx, cancel := context.WithTimeout(context.Background(), batchTime)
		err := l.insert(ctx, batch)
		cancel()
		if err == nil {
			return
		}
		if try == tries {
			l.log.Error("records could not be written and are lost", "lost", l.lost.Add(int64(len(batch))), "error", err)
			return
		}
		l.log.Warn("records could not be written yet", "records", len(batch), "error", err)
		time.Sleep(pause)
		pause *= 2
	}
}

// insert writes a batch in one transaction, many rows at a time. A record that is
// there already stays as it is: the try before may have succeeded without our
// knowing.
func (l *Ledger) insert(ctx context.Context, batch []*gateway.Record) error {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("ledger: begin: %w", err)
	}
	defer tx.Rollback()
	full := len(batch) / manyRows * manyRows
	if err := insertRows(ctx, tx, batch[:full], manyRows); err != nil {
		return err
	}
	if err := insertRows(ctx, tx, batch[full:], 1); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("ledger: commit: %w", err)
	}
	return nil
}

// manyRows are written by one statement. Each statement costs as much as several
// rows.
const manyRows = 16

// insertRows writes records by statements of n rows each.
func insertRows(ctx context.Context, tx *sql.Tx, batch []*gateway.Record, n int) error {
	if len(batch) == 0 {
		return nil
	}
	stmt, err := tx.PrepareContext(ctx, insertExchanges(n))
	if err != nil {
		return fmt.Errorf("ledger: prepare: %w", err)
	}
	defer stmt.Close()
	values := make([]any, 0, n*columns)
	for ; len(batch) > 0; batch = batch[n:] {
		values = values[:0]
		for _, r := range batch[:n] {
			values = appendValues(values, r)
		}
		if _, err := stmt.ExecContext(ctx, values...); err != nil {
			return fmt.Errorf("ledger: insert: %w", err)
		}
	}
	return nil
}

// appendValues appends a record's columns, in the order of the table.
func appendValues(values []any, r *gateway.Record) []any {
	u := r.Usage
	return append(values,
		r.ID, r.Start.UnixNano(), int64(r.Duration), int64(r.FirstToken),
		r.Caller.KeyID, r.Caller.Org, r.Caller.Team, r.Caller.User, r.User, r.Session, document(r.Properties, len(r.Properties)),
		r.Op, r.Dialect, r.Path, r.Model, r.Stream, r.Target, r.Provider, document(r.Attempts, len(r.Attempts)),
		r.Status, r.Code, r.Detail[:min(len(r.Detail), maxDetail)], r.Finish, r.Truncated, r.Cancelled,
		u.Input, u.CacheRead, u.CacheWrite, u.CacheWriteHour, u.Output, u.Reasoning, r.Counted, r.CostNano, r.Unpriced,
		r.Revision, document(r.Rules, len(r.Rules)), document(r.Labels, len(r.Labels)), document(r.Verdicts, len(r.Verdicts)), document(r.Warnings, len(r.Warnings)),
		r.Cache, r.SavedNano, r.Limit, r.Cut)
}

// document is a list or map as JSON, NULL if it is empty.
func document(v any, length int) any {
	if length == 0 {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return string(b)
}
