package policies_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
	"github.com/attache-gateway/attache/extproc/rego"
)

// closed are the policies that need default: deny.
var closed = map[string]bool{"closed-by-default": true}

// limits and budgets are those in the cookbook's README.
var limits = []gateway.Limit{{Name: "team", Per: "team", WindowS: 60, Requests: 600, Tokens: 1e6, CostNano: -1, Concurrent: -1}}

var budgets = []gateway.Limit{
	{Name: "team", Per: "team", Window: gateway.WindowMonth, Requests: -1, Tokens: -1, CostNano: 200e9, Concurrent: -1},
	{Name: "provider", Per: "provider", Window: gateway.WindowMonth, Requests: -1, Tokens: -1, CostNano: 1000e9, Concurrent: -1},
}

// cookbook returns the policies of the cookbook with their tests and data, by name.
func cookbook(t *testing.T) map[string]fstest.MapFS {
	t.Helper()
	files, err := filepath.Glob("cookbook/*.rego")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]fstest.MapFS{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		base := filepath.Base(file)
		name := strings.TrimSuffix(strings.TrimSuffix(base, ".rego"), "_test")
		if all[name] == nil {
			all[name] = fstest.MapFS{}
		}
		all[name][base] = &fstest.MapFile{Data: text}
	}
	for name, files := range all {
		table := dataOf(name)
		if text, err := os.ReadFile("cookbook/" + table); err == nil {
			files[table] = &fstest.MapFile{Data: text}
		} else if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return all
}

// dataOf is where the data of a policy of the cookbook is, if it has any.
func dataOf(name string) string { return "data/" + name + ".yaml" }

func load(t *testing.T, files fstest.MapFS, coverage int, fallback string) *rego.Policy {
	t.Helper()
	p, err := rego.Load(t.Context(), rego.Options{
		FS: files, Default: fallback, Deadline: time.Second, Guards: []string{"pii"}, OutputGuards: []string{"pii"}, Limits: limits, Budgets: budgets, Coverage: coverage,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestCookbook loads each policy as a gateway does, alone: all of it is run by
// its own tests, and nothing in it is doubtful.
func TestCookbook(t *testing.T) {
	index, err := os.ReadFile("cookbook/README.md")
	if err != nil {
		t.Fatal(err)
	}
	all := cookbook(t)
	if len(all) < 22 {
		t.Errorf("only %d policies", len(all))
	}
	for name, files := range all {
		t.Run(name, func(t *testing.T) {
			rules, tests := files[name+".rego"], files[name+"_test.rego"]
			if rules == nil || tests == nil {
				t.Fatal("want rules and tests")
			}
			fallback := rego.Allow
			if closed[name] {
				fallback = rego.Deny
			}
			for _, w := range load(t, files, 100, fallback).Warnings() {
				t.Error(w)
			}
			if head, _, ok := strings.Cut(string(rules.Data), "\npackage "); !ok || !strings.Contains(head, "\n#\n# Use it ") {
				t.Error("the file does not begin with what it does and when to use it")
			}
			if row := fmt.Sprintf("\n| [`%s`](%[1]s.rego) |", name); !strings.Contains(string(index), row) {
				t.Errorf("README.md has no row %s", row)
			}
		})
	}
}

// TestCookbookTogether: any of the policies can lie in one folder, and what they say
// of one request does not contradict itself.
func TestCookbookTogether(t *testing.T) {
	verb := regexp.MustCompile(`^(allow|deny|route|modify|header|guard|limit|cache|log|label)$`)
	names := regexp.MustCompile(`(?m)^([a-z_]+)(?:\(| )`)
	at := map[string]string{"package": "", "import": "", "route": ""}
	together := fstest.MapFS{}
	for name, files := range cookbook(t) {
		for base, file := range files {
			if !closed[name] {
				together[base] = file
			}
		}
		for _, m := range names.FindAllStringSubmatch(string(files[name+".rego"].Data), -1) {
			switch other, ok := at[m[1]]; {
			case verb.MatchString(m[1]), m[1] == "package", m[1] == "import":
			case ok && other != name:
				t.Errorf("%s and %s both define %s", other, name, m[1])
			default:
				at[m[1]] = name
			}
		}
	}
	p := load(t, together, 0, rego.Allow)
	for _, team := range []string{"", "search", "legal"} {
		f := moment(0)
		f.Caller.Team = team
		if _, err := p.Decide(t.Context(), f); err != nil {
			t.Errorf("a request of the team %q: %v", team, err)
		}
	}
}

// moment are the facts of a request, at a time of much traffic: what moves all the
// time is a little more at each tick, and far from any bound.
func moment(tick int64) *gateway.Facts {
	left := gateway.Left{Max: budgets[0].Max(), Left: gateway.Amount{CostNano: 150e9 - tick}, Used: gateway.Amount{CostNano: 50e9 + tick}}
	busy := gateway.Left{Max: limits[0].Max(), Left: gateway.Amount{Requests: 500 - tick, Tokens: 9e5 - tick, CostNano: -1, Concurrent: -1}}
	now := time.UnixMilli(1_796_000_000_000 + 50*tick).UTC()
	left.Resets = now.Add(20*24*time.Hour - time.Duration(tick)*time.Second)
	f := &gateway.Facts{
		Now: now, Op: llm.OpChat, Dialect: llm.OpenAI, Method: "POST", Path: "/v1/chat/completions", Model: "smart", Stream: true,
		Messages: 2, InputTokens: 50 + tick, Bytes: 300 + tick, Temperature: -1, TopP: -1,
		Guards: map[string]gateway.Verdict{"pii": {Action: gateway.ActionAllow}}, Limits: map[string]gateway.Left{"team": busy}, Budgets: map[string]gateway.Left{"team": left},
	}
	for _, provider := range []string{"openai", "frankfurt"} {
		f.Candidates = append(f.Candidates, gateway.Candidate{
			Provider: provider, Model: "gpt-4o", InputPrice: 2.5e9, OutputPrice: 10e9, State: "closed",
			ErrorsPermille: tick, LatencyMS: 800 + tick, FirstTokenMS: 300 + tick, InFlight: 3 + tick, LeftPermille: 800 - tick,
		})
	}
	return f
}

// TestCookbookKept: the rules cannot tell a request from the same one a moment
// later, so that the decision about it is kept.
func TestCookbookKept(t *testing.T) {
	for name, files := range cookbook(t) {
		if closed[name] || !strings.Contains(string(files[name+".rego"].Data), "\npackage attache.request\n") {
			continue
		}
		p := load(t, files, 0, rego.Allow)
		for tick := range int64(3) {
			if _, err := p.Decide(t.Context(), moment(tick)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if c := p.Cache(); c.Hits != 2 {
			t.Errorf("%s: of three equal decisions %d were made anew", name, c.Misses)
		}
	}
}
