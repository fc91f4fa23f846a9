package gatewaytest

import (
	"encoding/binary"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

// Cache tests a gateway.Cache. fresh returns one that is empty and has room for
// some megabytes.
func Cache(t *testing.T, fresh func(*testing.T) gateway.Cache) {
	t.Run("what was put is got", func(t *testing.T) {
		c, want := fresh(t), cacheEntry("a", time.Hour)
		hasEntry(t, c, cacheKey(1), nil)
		putEntry(t, c, cacheKey(1), want)
		hasEntry(t, c, cacheKey(1), want)
		hasEntry(t, c, cacheKey(1), want)
		hasEntry(t, c, cacheKey(2), nil)
	})
	t.Run("the latest counts", func(t *testing.T) {
		c, want := fresh(t), cacheEntry("b", time.Hour)
		putEntry(t, c, cacheKey(1), cacheEntry("a", time.Hour))
		putEntry(t, c, cacheKey(1), want)
		hasEntry(t, c, cacheKey(1), want)
	})
	t.Run("time runs out", func(t *testing.T) {
		c, want := fresh(t), cacheEntry("a", time.Minute)
		putEntry(t, c, cacheKey(1), want)
		for _, at := range []struct {
			after time.Duration
			want  *gateway.CacheEntry
		}{{time.Minute - time.Second, want}, {time.Minute, nil}} {
			if e, err := c.Get(t.Context(), cacheKey(1), cacheStart.Add(at.after)); err != nil || !reflect.DeepEqual(e, at.want) {
				t.Errorf("after %s: %+v, %v", at.after, e, err)
			}
		}
	})
	t.Run("many at once", func(t *testing.T) { manyAtOnce(t, fresh(t)) })
}

// manyAtOnce lets goroutines put and get the same keys: who gets something gets
// what was put under that key, whole.
func manyAtOnce(t *testing.T, c gateway.Cache) {
	const keys, rounds, goroutines = 32, 200, 8
	begin := make(chan struct{})
	var working sync.WaitGroup
	for g := range goroutines {
		working.Go(func() {
			<-begin
			for i := range rounds {
				n := uint64(i*7+g) % keys
				if i%3 == 0 {
					if err := c.Put(t.Context(), cacheKey(n), cacheEntry(string(rune('a'+n)), time.Hour)); err != nil {
						t.Errorf("put: %v", err)
					}
					continue
				}
				e, err := c.Get(t.Context(), cacheKey(n), cacheStart)
				if err != nil || e != nil && e.Events[1].Text != string(rune('a'+n)) {
					t.Errorf("key %d: %+v, %v", n, e, err)
				}
			}
		})
	}
	close(begin)
	working.Wait()
}

var cacheStart = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func cacheKey(n uint64) (k gateway.CacheKey) {
	binary.BigEndian.PutUint64(k[:], n*0x9e3779b97f4a7c15)
	return k
}

func cacheEntry(text string, ttl time.Duration) *gateway.CacheEntry {
	return &gateway.CacheEntry{
		Events: []llm.Event{
			{Kind: llm.EventStart, ID: "id", Model: "m", Created: 7},
			{Kind: llm.EventText, Text: text},
			{Kind: llm.EventLogprobs, Logprobs: &llm.Logprobs{Tokens: []llm.Logprob{{Token: "\xed\xa0\xbd", Logprob: "-0.10"}}}},
			{Kind: llm.EventOther, Text: "x", Raw: &llm.Raw{Dialect: llm.OpenAI, JSON: []byte(`{"a":1}`)}},
			{Kind: llm.EventUsage, Usage: llm.Usage{Input: 3, Output: 4}},
			{Kind: llm.EventFinish, Reason: llm.FinishStop},
			{Kind: llm.EventEnd},
		},
		Warnings: []string{"w"}, CostNano: 5, Stored: cacheStart, Expires: cacheStart.Add(ttl),
	}
}

func putEntry(t *testing.T, c gateway.Cache, k gateway.CacheKey, e *gateway.CacheEntry) {
	t.Helper()
	if err := c.Put(t.Context(), k, e); err != nil {
		t.Fatal(err)
	}
}

func hasEntry(t *testing.T, c gateway.Cache, k gateway.CacheKey, want *gateway.CacheEntry) {
	t.Helper()
	if e, err := c.Get(t.Context(), k, cacheStart); err != nil || !reflect.DeepEqual(e, want) {
		t.Errorf("got %+v, %v, want %+v", e, err, want)
	}
}
