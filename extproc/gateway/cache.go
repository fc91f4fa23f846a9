package gateway

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A Cache keeps responses of providers, to answer the same request again. It is
// called by many goroutines at once, and bounds its own time.
type Cache interface {
	// Get returns what is kept under a key; nil: nothing is, or its time is over.
	// An error means that nobody knows. The request then goes to a provider.
	Get(ctx context.Context, k CacheKey, now time.Time) (*CacheEntry, error)

	// Put keeps an entry, which nobody changes any more, in place of the one that
	// was there. It may go before its time, or at once, for want of room.
	Put(ctx context.Context, k CacheKey, e *CacheEntry) error
}

// A CacheEntry is a whole response.
type CacheEntry struct {
	Events   []llm.Event // from EventStart to EventEnd
	Warnings []string    // what of the request its target did not get, each with its reason
	CostNano int64       // nano-dollars that it cost
	Stored   time.Time
	Expires  time.Time
}

// Size is about what the entry holds in memory, in bytes.
func (e *CacheEntry) Size() int64 {
	n := int64(unsafe.Sizeof(*e))
	for i := range e.Events {
		n += eventSize(&e.Events[i])
	}
	for _, w := range e.Warnings {
		n += int64(len(w)) + int64(unsafe.Sizeof(w))
	}
	return n
}

// Caching says which responses are kept, for how long, and for whom.
type Caching struct {
	Cache               // nil: none
	Asked bool          // only those for which the policy asks
	TTL   time.Duration // the policy may say less
	Scope string        // one of CacheScopes; the policy may say a narrower one
}

// Modes of a CacheUse.
const (
	CacheOff      = "off"
	CacheExact    = "exact"
	CacheSemantic = "semantic" // no cache does that yet; it is taken as CacheExact
)

// CacheModes and CacheScopes list the modes and scopes of a CacheUse, the most
// restrictive first.
var (
	CacheModes  = []string{CacheOff, CacheExact, CacheSemantic}
	CacheScopes = []string{"key", "user", "team", "org"}
)

// What became of a request at the cache.
const (
	CacheHit    = "hit"
	CacheMiss   = "miss"
	CacheUnused = "off" // neither asked nor filled
)

// A cacheUse is how one exchange uses the cache.
type cacheUse struct {
	ttl   time.Duration
	scope string
	off   bool
}

// use is what the policy leaves of what is configured: of each the more
// restrictive. It can switch the cache on where it is there to be asked for.
func (c *Caching) use(d *CacheUse) cacheUse {
	u := cacheUse{c.TTL, c.Scope, c.Asked}
	if d != nil {
		u.off = u.off && d.Mode == ""
		u.narrow(d)
	}
	return u
}

// narrow applies what the policy says.
func (u *cacheUse) narrow(d *CacheUse) {
	if d.Mode == CacheOff {
		u.off = true
	}
	if d.TTLS > 0 && d.TTLS < int64(u.ttl/time.Second) { // which may be more seconds than a Duration holds
		u.ttl = time.Duration(d.TTLS) * time.Second
	}
	if d.Scope != "" && slices.Index(CacheScopes, d.Scope) < slices.Index(CacheScopes, u.scope) {
		u.scope = d.Scope
	}
}

// cacheHeader is what clients say about the cache, and hear of it.
const cacheHeader = "x-attache-cache"

// A cacheWish is what a client says about the cache.
type cacheWish struct {
	noStore bool          // it has no part in this request
	maxAge  time.Duration // of an answer from it; below 0: any
}

// cacheWish reads the client's header, which is written like Cache-Control, or
// Helicone's.
func (h *Head) cacheWish() (cacheWish, *llm.Error) {
	w := cacheWish{noStore: strings.EqualFold(h.Get("helicone-cache-enabled"), "false"), maxAge: -1}
	said := h.Get(cacheHeader)
	if said == "" {
		return w, nil
	}
	w.noStore = false
	for word := range strings.SplitSeq(said, ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		seconds, timed := strings.CutPrefix(word, "max-age=")
		n, err := strconv.ParseInt(seconds, 10, 32)
		switch {
		case word == "no-store":
			w.noStore = true
		case word == "no-cache":
			w.maxAge = 0
		case timed && err == nil && n >= 0:
			if age := time.Duration(n) * time.Second; w.maxAge < 0 || age < w.maxAge {
				w.maxAge = age
			}
		default:
			return w, llm.Invalid(cacheHeader, "must be no-store, no-cache or max-age=SECONDS")
		}
	}
	return w, nil
}
