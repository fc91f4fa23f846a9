package rego

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// What the rules saw can be told afterwards: the fields that they read, and
// where each rule stands.
func TestSeen(t *testing.T) {
	p := rules(t, Allow, `
# METADATA
# custom: {id: closed}
deny contains {"code": "closed"} if {
	input.caller.team == "search"
	input.properties.residency == "eu"
}
`)
	in, err := p.Seen(facts())
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"caller":{"team":"search"},"properties":{"residency":"eu"}}`; string(in) != want {
		t.Errorf("seen: %s, want %s", in, want)
	}
	if at := p.Place("closed"); !strings.HasPrefix(at, "a.rego:") {
		t.Errorf("the rule is at %q", at)
	}
	if at := p.Place("other"); at != "" {
		t.Errorf("a rule that is not there is at %q", at)
	}

	admin := fstest.MapFS{"a.rego": {Data: []byte("package attache.admin\n\nimport rego.v2\n\ndeny contains {} if input.admin.method == \"DELETE\"\n")}}
	p, err = Load(t.Context(), Options{FS: admin, Default: Allow, Deadline: time.Minute, Off: defaults})
	if err != nil {
		t.Fatal(err)
	}
	if in, err := p.Seen(facts()); in != nil || err != nil {
		t.Errorf("without rules about requests: %s, %v", in, err)
	}
}
