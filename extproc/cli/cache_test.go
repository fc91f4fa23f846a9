package cli

import (
	"testing"

	"github.com/attache-gateway/attache/extproc/config"
)

// TestAnswerCache: what is kept outlives reloads that say the same size, and those
// that come to nothing.
func TestAnswerCache(t *testing.T) {
	var a answerCache
	exact := config.Cache{Mode: config.CacheExact, Size: 1 << 20}
	first := a.caching(&exact).Cache
	a.put()
	for _, refused := range []config.Cache{{Mode: config.CacheOff}, {Mode: config.CacheExact, Size: 2 << 20}} {
		a.caching(&refused)
		if a.state() == nil || a.caching(&exact).Cache != first {
			t.Errorf("a refused reload to %+v has lost what was kept", refused)
		}
	}
	a.put()
	if a.caching(&config.Cache{Mode: config.CacheExact, Size: 2 << 20}).Cache == first {
		t.Error("another size is not another cache")
	}
	if a.caching(&config.Cache{Mode: config.CacheOff}).Cache != nil {
		t.Error("there is a cache where it is off")
	}
	if a.put(); a.state() != nil {
		t.Error("a cache that is off has a state")
	}
}
