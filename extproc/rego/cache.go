package rego

import (
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// The cache's numbers.
const (
	cacheSize   = 4096    // held, in two generations
	cacheWindow = 2048    // decisions after which it is asked whether it pays
	cacheRest   = 1 << 16 // decisions without the cache, once it does not
	checkEvery  = 1000    // hits of which one is evaluated all the same
)

// decisions are held by the keys of their requests. They belong to one policy
// and go with it. What was used lately is kept: when the young generation is
// full, it becomes the old one and that is dropped.
type decisions struct {
	keyer *keyer

	mu    sync.RWMutex
	young map[string]*gateway.Decision
	old   map[string]*gateway.Decision

	hits, asked atomic.Int64 // in this window
	rest        atomic.Int64 // decisions until it is tried again
	total       atomic.Int64 // hits in all
	misses      atomic.Int64
	wrong       atomic.Bool // it gave another decision than the rules: never again
	differences atomic.Int64
}

// A CacheState is how the cache of decisions does. Its counts begin with the
// policy.
type CacheState struct {
	On          bool // false: the rules are not fit for it, it does not pay, or it was wrong
	Hits        int64
	Misses      int64
	Differences int64 // from the rules, of the hits that were compared
}

// Cache returns the state of the cache.
func (p *Policy) Cache() CacheState {
	c := p.cache
	if c == nil {
		return CacheState{}
	}
	return CacheState{!c.wrong.Load() && c.rest.Load() <= 0, c.total.Load(), c.misses.Load(), c.differences.Load()}
}

func newDecisions(k *keyer) *decisions {
	return &decisions{keyer: k, young: map[string]*gateway.Decision{}}
}

// on reports whether the cache is to be asked, and counts.
func (c *decisions) on() bool {
	if c == nil || c.wrong.Load() {
		return false
	}
	if c.rest.Load() > 0 {
		c.rest.Add(-1)
		return false
	}
	if c.asked.Add(1) < cacheWindow {
		return true
	}
	hits := c.hits.Swap(0)
	c.asked.Store(0)
	if hits*5 < cacheWindow { // less than 20 %
		c.rest.Store(cacheRest)
		c.mu.Lock()
		c.young, c.old = map[string]*gateway.Decision{}, nil
		c.mu.Unlock()
		return false
	}
	return true
}

// get returns the decision of a key, nil if there is none. check says that it
// is this hit's turn to be compared with the rules.
func (c *decisions) get(key []byte) (d *gateway.Decision, check bool) {
	c.mu.RLock()
	d = c.young[string(key)]
	old := d == nil
	if old {
		d = c.old[string(key)]
	}
	c.mu.RUnlock()
	switch {
	case d == nil:
		c.misses.Add(1)
		return nil, false
	case old:
		c.put(key, d)
	}
	c.hits.Add(1)
	return d, c.total.Add(1)%checkEvery == 0
}

func (c *decisions) put(key []byte, d *gateway.Decision) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= cacheSize/2 {
		c.old, c.young = c.young, make(map[string]*gateway.Decision, cacheSize/2)
	}
	c.young[string(key)] = d
}

// compare takes the cache out of use if it gave another decision than the rules.
func (c *decisions) compare(cached, fresh *gateway.Decision) bool {
	if reflect.DeepEqual(cached, fresh) {
		return true
	}
	c.wrong.Store(true)
	c.differences.Add(1)
	return false
}
