package ledger

import (
	"fmt"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

func openTest(t testing.TB, o Options) *Ledger {
	t.Helper()
	if o.Path == "" {
		o.Path = filepath.Join(t.TempDir(), "deep", "a b?#%.db")
	}
	l, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func record(id, key, target string, status int) *gateway.Record {
	return &gateway.Record{
		ID: id, Start: time.Unix(1000, 5), Duration: time.Second, Caller: gateway.Caller{KeyID: key, Team: "red"},
		Op: llm.OpChat, Dialect: llm.OpenAI, Model: "smart", Target: target, Status: status,
		Usage: llm.Usage{Input: 10, CacheRead: 4, Output: 3}, CostNano: 700,
		Attempts: []gateway.Attempt{{Target: target, Result: "200"}}, Labels: map[string]string{"a": "b"},
	}
}

func TestSum(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := openTest(t, Options{Path: path})
	l.Record(record("1", "k1", "openai/gpt-4o", 200))
	l.Record(record("2", "k1", "openai/gpt-4o", 502))
	l.Record(record("2", "k1", "openai/gpt-4o", 502)) // once, however often it is tried
	l.Record(record("3", "k2", "", 401))
	late := record("4", "k2", "", 200)
	late.Start = time.Unix(2000, 0)
	late.Cache, late.SavedNano = gateway.CacheHit, 300
	l.Record(late)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	all, err := Sum(t.Context(), path, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	want := []Total{
		{Key: "k1", Team: "red", Model: "openai/gpt-4o", Requests: 2, Errors: 1, Input: 20, CacheRead: 8, Output: 6, CostNano: 1400},
		{Key: "k2", Team: "red", Model: "smart", Requests: 2, Errors: 1, Input: 20, CacheRead: 8, Output: 6, CostNano: 1400, Hits: 1, SavedNano: 300},
	}
	if !reflect.DeepEqual(all, want) {
		t.Errorf("got %+v\nwant %+v", all, want)
	}
	since, err := Sum(t.Context(), path, time.Unix(1500, 0))
	if err != nil || len(since) != 1 || since[0].Requests != 1 {
		t.Errorf("since: got %+v, %v", since, err)
	}
	if _, err := Sum(t.Context(), path+"x", time.Time{}); err == nil {
		t.Error("a ledger that is not there has sums")
	}
}

// Everything of a record is in its row; a new field needs a column.
func TestRowIsTheRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := openTest(t, Options{Path: path})
	l.Record(record("1", "k", "p/m", 200))
	l.Close()
	db, err := open(path, "rw")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var attempts, labels string
	var start int64
	if err := db.QueryRow("SELECT attempts, labels, start_ns FROM exchanges").Scan(&attempts, &labels, &start); err != nil {
		t.Fatal(err)
	}
	if attempts != `[{"Target":"p/m","Result":"200"}]` || labels != `{"a":"b"}` || start != 1000_000_000_005 {
		t.Errorf("got %s, %s, %d", attempts, labels, start)
	}
}

// A batch is written by statements of many rows and of one; a row that is there
// already stays, and the others are written.
func TestBatch(t *testing.T) {
	for _, n := range []int{1, manyRows - 1, manyRows, manyRows + 1, 3*manyRows + 2} {
		path := filepath.Join(t.TempDir(), "ledger.db")
		l := openTest(t, Options{Path: path})
		var batch []*gateway.Record
		for i := range n {
			batch = append(batch, record(fmt.Sprint(i), "k", fmt.Sprintf("p/m%d", i), 200))
		}
		if err := l.insert(t.Context(), []*gateway.Record{record("0", "k", "p/first", 200)}); err != nil {
			t.Fatal(err)
		}
		if err := l.insert(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		var rows, right int
		if err := l.db.QueryRow("SELECT count(*), sum(target = iif(id = '0', 'p/first', 'p/m' || id)) FROM exchanges").Scan(&rows, &right); err != nil {
			t.Fatal(err)
		}
		if rows != n || right != n {
			t.Errorf("of %d records there are %d rows, %d of them right", n, rows, right)
		}
		l.Close()
	}
}

func TestFullQueueLosesAndCounts(t *testing.T) {
	l := openTest(t, Options{Queue: 1})
	l.Close()
	l.Record(record("1", "k", "", 200))
	if l.Lost() != 1 {
		t.Errorf("lost %d, want 1", l.Lost())
	}
}

func TestManyWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := openTest(t, Options{Path: path, Every: time.Millisecond})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 200 {
				l.Record(record(fmt.Sprintf("%d-%d", w, i), "k", "p/m", 200))
			}
		})
	}
	wg.Wait()
	l.Close()
	sums, err := Sum(t.Context(), path, time.Time{})
	if err != nil || len(sums) != 1 || sums[0].Requests != 1600 || l.Lost() != 0 {
		t.Errorf("got %+v, %v, lost %d", sums, err, l.Lost())
	}
}

func TestNewerDatabaseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	openTest(t, Options{Path: path}).Close()
	db, err := open(path, "rw")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	if _, err := Open(t.Context(), Options{Path: path}); err == nil {
		t.Error("opened a database of a version that it does not know")
	}
}
