package inmem

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// Cache is a gateway.Cache in memory. Its size is bounded, and what was asked for
// the longest time ago goes first.
type Cache struct{ shards []cacheShard }

// Shards are locked each by itself. One has room for several of the largest
// responses.
const (
	maxCacheShards = 16
	cacheShardSize = 4 << 20
)

// cacheOverhead is about what an entry costs beside what is in it, in bytes.
const cacheOverhead = 256

// NewCache returns a Cache of at most size bytes.
func NewCache(size int64) *Cache {
	n := min(max(size/cacheShardSize, 1), maxCacheShards)
	c := &Cache{make([]cacheShard, n)}
	for i := range c.shards {
		c.shards[i] = cacheShard{most: size / n, found: map[gateway.CacheKey]*list.Element{}}
	}
	return c
}

// A cacheShard holds the keys that begin alike.
type cacheShard struct {
	mu      sync.Mutex
	used    int64 // bytes
	most    int64
	evicted int64     // entries
	order   list.List // of *kept, the one that was asked for last in front
	found   map[gateway.CacheKey]*list.Element
}

// A kept is an entry in its place.
type kept struct {
	key   gateway.CacheKey
	entry *gateway.CacheEntry
	size  int64
}

func (c *Cache) shard(k gateway.CacheKey) *cacheShard { return &c.shards[int(k[0])%len(c.shards)] }

// Get returns the entry of a key; nil: there is none.
func (c *Cache) Get(_ context.Context, k gateway.CacheKey, now time.Time) (*gateway.CacheEntry, error) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.found[k]
	if at == nil {
		return nil, nil
	}
	e := at.Value.(*kept).entry
	if !now.Before(e.Expires) {
		s.remove(at)
		return nil, nil
	}
	s.order.MoveToFront(at)
	return e, nil
}

// Put keeps an entry. One that is larger than a shard is not kept.
func (c *Cache) Put(_ context.Context, k gateway.CacheKey, e *gateway.CacheEntry) error {
	s := c.shard(k)
	put := &kept{k, e, e.Size() + cacheOverhead}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.found[k]; at != nil {
		s.remove(at)
	}
	if put.size > s.most {
		return nil
	}
	for s.used+put.size > s.most {
		s.remove(s.order.Back())
		s.evicted++
	}
	s.found[k] = s.order.PushFront(put)
	s.used += put.size
	return nil
}

func (s *cacheShard) remove(at *list.Element) {
	old := s.order.Remove(at).(*kept)
	delete(s.found, old.key)
	s.used -= old.size
}

// A CacheState is how full a Cache is.
type CacheState struct {
	Entries, Bytes int64
	Evicted        int64 // entries that had to make room
}

// State returns how full the cache is.
func (c *Cache) State() (v CacheState) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		v.Entries += int64(len(s.found))
		v.Bytes += s.used
		v.Evicted += s.evicted
		s.mu.Unlock()
	}
	return v
}
