package rego

import (
	"reflect"
	"slices"
	"testing"
	"testing/fstest"
	"time"
)

// TestLabels: rules have the labels of their METADATA and those of their package's.
func TestLabels(t *testing.T) {
	p, err := Load(t.Context(), Options{Default: Allow, Deadline: time.Minute, Off: defaults, FS: fstest.MapFS{
		"a.rego": {Data: []byte(`# METADATA
# labels: {owner: platform, tier: 1}
package attache.request

import rego.v2

# METADATA
# labels: {owner: security}
# custom: {id: closed}
deny contains {"code": "closed"} if input.user == "x"

deny contains {"code": "other"} if input.user == "y"
`)},
		"b.rego": {Data: []byte("package attache.response\n\nlabel contains {\"a\": \"b\"} if input.user == \"x\"\n")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	one := p.Labels("closed")["tier"]
	for id, want := range map[string]map[string]any{
		"closed":    {"owner": "security", "tier": one},
		"a.rego:12": {"owner": "platform", "tier": one},
		"b.rego:3":  nil,
		"nobody":    nil,
	} {
		if got := p.Labels(id); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", id, got, want)
		}
	}
	if one == nil {
		t.Error("there is no tier")
	}
}

// TestSameID: two rules of an entry point that have one id are a warning.
func TestSameID(t *testing.T) {
	const rule = "# METADATA\n# custom: {id: closed}\n"
	p, err := Load(t.Context(), Options{Default: Allow, Deadline: time.Minute, Off: defaults, FS: fstest.MapFS{
		"a.rego": {Data: []byte("package attache.request\n\n" + rule + "deny contains {\"code\": \"a\"} if input.user == \"x\"\n")},
		"b.rego": {Data: []byte("package attache.request\n\n" + rule + "label contains {\"a\": \"b\"} if input.user == \"x\"\n")},
		"c.rego": {Data: []byte("package attache.response\n\n" + rule + "label contains {\"a\": \"b\"} if input.user == \"x\"\n")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"b.rego:5: the id closed in the METADATA is that of the rule at a.rego:5 as well: records cannot tell them apart"}
	if got := p.Warnings(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
