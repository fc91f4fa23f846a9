// Package ledger keeps the record of each exchange in SQLite and adds the
// records up.
//
// Records are written in batches by one goroutine, off the path of requests. A
// record is written once, however often it is tried. What a crash can lose is
// what was recorded in the last moment (see Options.Every).
//
// The package does not know what a record is for: limits and prices are
// elsewhere.
package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/attache-gateway/attache/extproc/gateway"
)

// Options say where and how records are kept.
type Options struct {
	Path   string        // of the database; it is made if it is not there
	Queue  int           // records that may wait to be written; 0: 65,536
	Every  time.Duration // longest wait before a record is written; 0: 250 ms
	Logger *slog.Logger  // nil: slog.Default
}

// A Ledger writes records. It implements gateway.Sink.
type Ledger struct {
	db    *sql.DB
	log   *slog.Logger
	every time.Duration
	lost  atomic.Int64

	mu     sync.RWMutex // held to send, so that Close can close the queue
	closed bool
	queue  chan *gateway.Record
	ended  chan struct{}
}

var _ gateway.Sink = (*Ledger)(nil)

// Open opens the database, brings its tables up to date and starts the writer,
// which Close ends.
func Open(ctx context.Context, o Options) (*Ledger, error) {
	if o.Queue == 0 {
		o.Queue = 1 << 16
	}
	if o.Every == 0 {
		o.Every = 250 * time.Millisecond
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if err := os.MkdirAll(filepath.Dir(o.Path), 0o750); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	db, err := open(o.Path, "rwc")
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, db); err != nil {
		db.Close()
		return nil, err
	}
	l := &Ledger{db: db, log: o.Logger, every: o.Every, queue: make(chan *gateway.Record, o.Queue), ended: make(chan struct{})}
	go l.write()
	return l, nil
}

// open opens a database in a mode of SQLite: rwc to make it, ro to read it. A
// writer may still wait for a reader, which the timeout bounds.
func open(path, mode string) (*sql.DB, error) {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	u.RawQuery = url.Values{
		"mode":    {mode},
		"_pragma": {"busy_timeout(5000)", "journal_mode(wal)", "synchronous(normal)"},
	}.Encode()
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// Record takes a record to be written soon. If the database has not kept up for
// so long that the queue is full, the record is lost, and counted.
func (l *Ledger) Record(r *gateway.Record) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if !l.closed {
		select {
		case l.queue <- r:
			return
		default:
		}
	}
	if n := l.lost.Add(1); n&(n-1) == 0 { // the 1st, 2nd, 4th, 8th …
		l.log.Error("the ledger does not keep up, records are lost", "lost", n)
	}
}

// Lost is the number of records that were not written.
func (l *Ledger) Lost() int64 { return l.lost.Load() }

// Close writes what is waiting and closes the database.
func (l *Ledger) Close() error {
	l.mu.Lock()
	already := l.closed
	if !already {
		l.closed = true
		close(l.queue)
	}
	l.mu.Unlock()
	<-l.ended
	if already {
		return nil
	}
	if err := l.db.Close(); err != nil {
		return fmt.Errorf("ledger: close: %w", err)
	}
	return nil
}
