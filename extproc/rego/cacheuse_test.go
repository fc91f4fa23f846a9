package rego

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// A rule that asks for a cache that is not there is told so.
func TestCacheWarnings(t *testing.T) {
	const text = `package attache.request

cache contains {"mode": "semantic"}

cache contains {"mode": "exact", "ttl_s": input.request.bytes + 1} if input.request.stream

cache contains {"mode": "off"} if input.user == "x"
`
	for _, tt := range []struct {
		uncached bool
		want     string
	}{
		{true, "a.rego:3: cache: the configuration has no cache; cache: {mode: asked} is one for rules to ask\n" +
			"a.rego:5: cache: the configuration has no cache; cache: {mode: asked} is one for rules to ask"},
		{false, "a.rego:3: cache: semantic is taken as exact: requests have to be equal"},
	} {
		p, err := Load(t.Context(), Options{FS: fstest.MapFS{"a.rego": {Data: []byte(text)}}, Default: Allow, Deadline: time.Minute, Uncached: tt.uncached})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(p.Warnings(), "\n"); got != tt.want {
			t.Errorf("got\n%s\nwant\n%s", got, tt.want)
		}
	}
}
