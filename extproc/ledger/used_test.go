package ledger

import (
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

func TestUsed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := openTest(t, Options{Path: path})
	for i, r := range []gateway.Record{
		{Start: time.Unix(999, 0), CostNano: 1e9}, // before
		{Caller: gateway.Caller{KeyID: "k1", Team: "red", Org: "acme", User: "ann"}, Session: "s", Target: "p/m", Provider: "p", CostNano: 100, Rules: []string{"a", `"b"`},
			Usage: llm.Usage{Input: 10, CacheRead: 4, Output: 3, Reasoning: 2}, Attempts: []gateway.Attempt{{Target: "p/m", Result: "200"}}},
		{Caller: gateway.Caller{KeyID: "k1", Team: "red", User: "ann"}, User: "bob", Properties: map[string]string{"tenant-1": "x"}, Target: "p/m", Provider: "p", CostNano: 20, Rules: []string{"c"},
			Usage: llm.Usage{Input: 5}, Attempts: []gateway.Attempt{{Target: "p/m", Result: "200"}}},
		{Caller: gateway.Caller{KeyID: "k2"}, Attempts: []gateway.Attempt{{Target: "q/m", Result: "503"}}, Status: 502},
		{Caller: gateway.Caller{KeyID: "k2"}, Status: 403, Code: llm.CodeGuardBlocked},
		{Caller: gateway.Caller{KeyID: "k2"}, Cache: gateway.CacheHit, SavedNano: 7, Status: 200},
		{Caller: gateway.Caller{KeyID: "k2"}, Status: 403, Code: llm.CodePolicyDenied}, // before it could count
		{Caller: gateway.Caller{KeyID: "k2"}, Status: 429, Code: llm.CodeRateLimited},
	} {
		r.ID = string(rune('a' + i))
		if r.Start.IsZero() {
			r.Start = time.Unix(1000, 0)
		}
		l.Record(&r)
	}
	l.Close()
	for per, want := range map[string][]Use{
		"key":               {{"k1", 2, 18, 120}, {"k2", 3, 0, 0}},
		"team":              {{"red", 2, 18, 120}, {"", 3, 0, 0}},
		"org":               {{"acme", 1, 13, 100}, {"", 4, 5, 20}},
		"user":              {{"ann", 1, 13, 100}, {"bob", 1, 5, 20}, {"", 3, 0, 0}},
		"session":           {{"s", 1, 13, 100}, {"", 4, 5, 20}},
		"model":             {{"p/m", 2, 18, 120}, {"", 3, 0, 0}},
		"provider":          {{"p", 2, 18, 120}, {"", 3, 0, 0}},
		"property.tenant-1": {{"", 4, 13, 100}, {"x", 1, 5, 20}},
	} {
		got, err := Used(t.Context(), path, per, nil, time.Unix(1000, 0), 100)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("per %s: got %v, %v\nwant %v", per, got, err, want)
		}
	}
	for want, rules := range map[Use][]string{
		{"red", 1, 13, 100}: {"b", "a", "d"}, {"red", 1, 5, 20}: {"c"}, {"red", 2, 18, 120}: {`"b"`, "c"}, {}: {"b"},
	} {
		got, err := Used(t.Context(), path, "team", rules, time.Unix(1000, 0), 100)
		if err != nil || len(got) > 1 || len(got) == 1 && got[0] != want || len(got) == 0 && want != (Use{}) {
			t.Errorf("of the rules %q: got %v, %v, want %v", rules, got, err, want)
		}
	}
	if got, err := Used(t.Context(), path, "key", nil, time.Unix(1000, 0), 1); err != nil || len(got) != 1 || got[0].Account != "k1" {
		t.Errorf("the one that used most: %v, %v", got, err)
	}
	if _, err := Used(t.Context(), path, "key; --", nil, time.Unix(0, 0), 1); err == nil {
		t.Error("there are accounts per whatever one likes")
	}
}
