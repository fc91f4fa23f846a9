package cli

import (
	"sync"

	"github.com/attache-gateway/attache/extproc/config"
	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/inmem"
	"github.com/attache-gateway/attache/extproc/telemetry"
)

// An answerCache holds the cache of responses, which outlives configurations as
// long as they say the same size.
type answerCache struct {
	mu            sync.Mutex
	current, next *sizedCache // in force, and for the configuration that was asked about last; nil: there is none
}

type sizedCache struct {
	*inmem.Cache
	size int64
}

// caching is what a configuration says about the cache. Without a place for it there
// is none. It changes nothing before put.
func (a *answerCache) caching(c *config.Cache) gateway.Caching {
	if a == nil {
		return gateway.Caching{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.next = nil; c.Mode == config.CacheOff {
		return gateway.Caching{}
	}
	if a.next = a.current; a.next == nil || a.next.size != c.Size {
		a.next = &sizedCache{inmem.NewCache(c.Size), c.Size}
	}
	return gateway.Caching{Cache: a.next.Cache, Asked: c.Mode == config.CacheAsked, TTL: c.TTL, Scope: c.Scope}
}

// put notes that the configuration that was asked about last is in force.
func (a *answerCache) put() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.current = a.next
}

// state is how full the cache is; nil: there is none.
func (a *answerCache) state() *telemetry.Answers {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.current == nil {
		return nil
	}
	v := telemetry.Answers(a.current.State())
	return &v
}
