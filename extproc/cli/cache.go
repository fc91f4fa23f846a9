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
	mu    sync.Mutex
	size  int64
	inmem *inmem.Cache // nil: there is none
}

// caching is what a configuration says about the cache. Without a place for it there
// is none.
func (a *answerCache) caching(c *config.Cache) gateway.Caching {
	if a == nil {
		return gateway.Caching{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if c.Mode == config.CacheOff {
		a.inmem = nil
		return gateway.Caching{}
	}
	if a.inmem == nil || a.size != c.Size {
		a.inmem, a.size = inmem.NewCache(c.Size), c.Size
	}
	return gateway.Caching{Cache: a.inmem, Asked: c.Mode == config.CacheAsked, TTL: c.TTL, Scope: c.Scope}
}

// state is how full the cache is; nil: there is none.
func (a *answerCache) state() *telemetry.Answers {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.inmem == nil {
		return nil
	}
	v := telemetry.Answers(a.inmem.State())
	return &v
}
