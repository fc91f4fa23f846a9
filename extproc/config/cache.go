package config

import (
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A Cache says which responses are kept.
type Cache struct {
	Mode  string // CacheOff, CacheAsked or CacheExact
	TTL   time.Duration
	Size  int64 // bytes of memory
	Scope string
}

// The modes of a Cache.
const (
	CacheOff   = "off"
	CacheAsked = "asked" // of requests for which the policy asks it
	CacheExact = "exact" // of all
)

// The bounds of a Cache.
const (
	minCache    = 1 << 20
	maxCache    = 64 << 30
	maxCacheTTL = 30 * 24 * time.Hour
)

func defaultCache() Cache {
	return Cache{Mode: CacheOff, TTL: time.Hour, Size: 64 << 20, Scope: "key"}
}

func (r *reader) cache(c *Cache, v value) {
	r.object(v, map[string]field{
		"mode": func(v value) {
			if v.node.Value == gateway.CacheSemantic {
				r.problem(v.path, "semantic is "+unsupported+"; exact answers requests that are equal")
				return
			}
			r.choice(&c.Mode, CacheOff, CacheAsked, CacheExact)(v)
		},
		"ttl":   r.duration(&c.TTL, time.Second, maxCacheTTL),
		"size":  r.size(&c.Size, minCache, maxCache),
		"scope": r.choice(&c.Scope, gateway.CacheScopes...),
	})
	r.missing(join(v.path, "mode"), "is missing; it is off, asked or exact")
}
