package rego

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
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
	in, err := p.Seen(gateway.EntryRequest, facts())
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
	if in, err := p.Seen(gateway.EntryRequest, facts()); in != nil || err != nil {
		t.Errorf("without rules about requests: %s, %v", in, err)
	}
	f := facts()
	f.Admin = &gateway.AdminCall{Method: "DELETE"}
	if in, err := p.Seen(gateway.EntryAdmin, f); string(in) != `{"admin":{"method":"DELETE"}}` || err != nil {
		t.Errorf("about a call of the admin API: %s, %v", in, err)
	}
}
