package inmem

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/gateway/gatewaytest"
	"github.com/attache-gateway/attache/extproc/llm"
)

func TestCache(t *testing.T) {
	gatewaytest.Cache(t, func(*testing.T) gateway.Cache { return NewCache(8 << 20) })
}

var cacheNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func keyOf(n int) (k gateway.CacheKey) {
	binary.LittleEndian.PutUint64(k[:], uint64(n))
	return k
}

func entryOf(bytes int) *gateway.CacheEntry {
	return &gateway.CacheEntry{Events: []llm.Event{{Kind: llm.EventText, Text: strings.Repeat("x", bytes)}}, Expires: cacheNow.Add(time.Hour)}
}

// What was asked for the longest time ago makes room.
func TestCacheMakesRoom(t *testing.T) {
	one := entryOf(1000)
	c := NewCache(3 * (one.Size() + cacheOverhead))
	put := func(n int, e *gateway.CacheEntry) {
		if err := c.Put(t.Context(), keyOf(n), e); err != nil {
			t.Fatal(err)
		}
	}
	has := func(n int) bool {
		e, err := c.Get(t.Context(), keyOf(n), cacheNow)
		if err != nil {
			t.Fatal(err)
		}
		return e != nil
	}
	put(1, one)
	put(2, one)
	put(3, one)
	if !has(1) { // and so it is younger than 2
		t.Fatal("three do not fit")
	}
	put(4, one)
	if has(2) || !has(1) || !has(3) || !has(4) {
		t.Errorf("left are %v %v %v %v", has(1), has(2), has(3), has(4))
	}
	put(5, entryOf(100_000))
	if has(5) || !has(1) {
		t.Error("what never fits is kept, or drives others out")
	}
	put(1, entryOf(100_000))
	if has(1) {
		t.Error("what was replaced is still there")
	}
	if got := c.State(); got.Entries != 2 || got.Evicted != 1 {
		t.Errorf("state %+v", got)
	}
}

// Whatever is put and asked for, the bytes that are counted are those of what is
// there, and within the bound.
func TestCacheStaysWithinItsSize(t *testing.T) {
	const size = 10 << 20
	c := NewCache(size)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 3000 {
		key := keyOf(rng.IntN(200))
		if rng.IntN(3) == 0 {
			if _, err := c.Get(t.Context(), key, cacheNow.Add(time.Duration(rng.IntN(2))*time.Hour)); err != nil {
				t.Fatal(err)
			}
		} else if err := c.Put(t.Context(), key, entryOf(rng.IntN(300_000))); err != nil {
			t.Fatal(err)
		}
		if i%100 > 0 {
			continue
		}
		var there, entries int64
		for k := range c.shards {
			for _, at := range c.shards[k].found {
				there += at.Value.(*kept).entry.Size() + cacheOverhead
				entries++
			}
			if n := c.shards[k].order.Len(); n != len(c.shards[k].found) {
				t.Fatalf("%d in order, %d found", n, len(c.shards[k].found))
			}
		}
		if got := c.State(); got.Bytes != there || got.Entries != entries || got.Bytes > size {
			t.Fatalf("state %+v, there are %d bytes in %d entries", got, there, entries)
		}
	}
}

func BenchmarkCacheGet(b *testing.B) {
	c := NewCache(64 << 20)
	for n := range 1000 {
		if err := c.Put(b.Context(), keyOf(n), entryOf(1000)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if e, err := c.Get(b.Context(), keyOf(n%1000), cacheNow); e == nil || err != nil {
			b.Fatal(e, err)
		}
	}
}
