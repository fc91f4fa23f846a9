package rego

import (
	"testing"
	"testing/fstest"
	"time"
)

func TestReads(t *testing.T) {
	for _, c := range []struct {
		name, rules string
		yes, no     []string
	}{
		{"a field", `deny contains {} if input.request.tokens.input > 5`,
			[]string{"request", "request.tokens", "request.tokens.input"}, []string{"request.tokens_x", "request.model", "caller", "req"}},
		{"in a head", `label contains {"a": input.caller.team}`, []string{"caller.team"}, []string{"caller.org"}},
		{"through a variable", "deny contains {} if {\n\tr := input.request\n\tr.tokens.input > 5\n}", []string{"request.tokens"}, []string{"request.model", "caller"}},
		{"through a function", "f(x) if x.tokens.input > 5\n\ndeny contains {} if f(input.request)", []string{"request.tokens"}, []string{"caller"}},
		{"through a helper", "big if input.request.tokens.input > 5\n\ndeny contains {} if not big", []string{"request.tokens"}, []string{"request.bytes"}},
		{"in a comprehension", `deny contains {} if count([c | some c in input.candidates; c.tags[input.user]]) > 3`, []string{"candidates", "candidates.0", "user"}, []string{"session"}},
		{"in every", "deny contains {} if {\n\tevery c in input.candidates {\n\t\tc.model == input.request.model\n\t}\n}", []string{"candidates", "request.model"}, []string{"request.tokens"}},
		{"as a key of data", `deny contains {} if data.attache.config[input.user][input.session]`, []string{"user", "session"}, []string{"request"}},
		{"by a computed name", `deny contains {} if input.request[input.user] == 3`, []string{"request.tokens", "user"}, []string{"caller"}},
		{"the whole input", `deny contains {} if json.marshal(input) == ""`, []string{"request.tokens", "user"}, nil},
		{"nothing", `deny contains {}`, nil, []string{"request.tokens", "user", "input"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := rules(t, Allow, c.rules)
			for _, fact := range c.yes {
				if !p.Reads(fact) {
					t.Errorf("%s is not read; paths %q", fact, p.request.paths)
				}
			}
			for _, fact := range c.no {
				if p.Reads(fact) {
					t.Errorf("%s is read; paths %q", fact, p.request.paths)
				}
			}
		})
	}
}

// TestDefaultsReadLittle: the shipped rules make the gateway gather nothing that
// costs time.
func TestDefaultsReadLittle(t *testing.T) {
	dir := fstest.MapFS{"a.rego": {Data: []byte("package attache.request\n\nimport rego.v2\n\nlabel contains {\"stream\": \"yes\"} if input.request.stream\n")}}
	p, err := Load(t.Context(), Options{FS: dir, Default: Allow, Deadline: time.Second, Guards: []string{"pii"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, fact := range []string{"request.tokens", "request.headers", "request.tools", "candidates", "guards", "guards.pii"} {
		if p.Reads(fact) {
			t.Errorf("%s is read; paths %q", fact, p.request.paths)
		}
	}
}
