package main

import (
	"strings"
	"testing"
)

// vocabulary returns the ranks of the 256 bytes followed by the given tokens.
func vocabulary(tokens ...string) map[string]int {
	ranks := map[string]int{}
	for b := range 256 {
		ranks[string([]byte{byte(b)})] = b
	}
	for _, token := range tokens {
		ranks[token] = len(ranks)
	}
	return ranks
}

func TestSplit(t *testing.T) {
	ranks := vocabulary("bc", "ab", "abc", "abab", "ababc")
	for token, want := range map[string]int{
		"a":     0,
		"ab":    1,
		"abc":   1, // bc comes before ab
		"abab":  2,
		"ababc": 2, // ab, abc: once bc is merged, abab cannot be
	} {
		if got, err := split(ranks, token); err != nil || got != want {
			t.Errorf("%s: %d, %v, want %d", token, got, err, want)
		}
	}
}

func TestRefused(t *testing.T) {
	noByte := vocabulary("ab")
	noByte["xy"] = noByte["x"]
	delete(noByte, "x")
	twice := vocabulary("ab")
	twice["cd"] = twice["ab"]
	for want, ranks := range map[string]map[string]int{
		"byte 0x78 is not a token": noByte,
		"each once":                twice,
		"token of 256 bytes":       vocabulary(strings.Repeat("a", 256)),
	} {
		if err := check(ranks); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := encode(vocabulary("abc")); err == nil || !strings.Contains(err.Error(), "no merge makes it") {
		t.Errorf("got %v for a token that no merge makes", err)
	}
}
