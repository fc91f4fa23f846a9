package config

import (
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// TestPolicySources: every form of a source, with the defaults of what is not said.
func TestPolicySources(t *testing.T) {
	dir := t.TempDir()
	begin := "providers: {openai: {kind: openai, key: k}}\nauth: {mode: none}\npolicy:\n"
	for _, c := range []struct {
		name, text string
		want       Policy
	}{
		{"directory", "  {dir: rules, shadow: {dir: next}}", Policy{
			Source: Source{Dir: filepath.Join(dir, "rules")},
			Shadow: Shadow{Source{Dir: filepath.Join(dir, "next")}, 1000},
		}},
		{"file", "  {bundle: {file: b.tar.gz, key_id: main, key_file: main.pem}}", Policy{
			Source: Source{Bundle: &Bundle{File: filepath.Join(dir, "b.tar.gz"), Poll: 30 * time.Second,
				KeyID: "main", KeyFile: filepath.Join(dir, "main.pem"), Algorithm: "RS256"}},
		}},
		{"server", "  bundle: {url: \"https://example.com/b.tar.gz?env=prod\", token: t, poll: 1m, long_poll: 50s, key_id: main, key: pem, algorithm: ES256, scope: write}", Policy{
			Source: Source{Bundle: &Bundle{URL: "https://example.com/b.tar.gz?env=prod", Token: gateway.NewSecret("t"), Poll: time.Minute, LongPoll: 50 * time.Second,
				KeyID: "main", Key: gateway.NewSecret("pem"), Algorithm: "ES256", Scope: "write"}},
		}},
		{"registry", "  dir: rules\n  shadow: {bundle: {url: \"oci://example.com/team/policies:1\", user: me, token: t}, share: 12.5%}\n  canary: {share: 5%, by: team}", Policy{
			Source: Source{Dir: filepath.Join(dir, "rules")},
			Shadow: Shadow{Source{Bundle: &Bundle{URL: "oci://example.com/team/policies:1", User: "me", Token: gateway.NewSecret("t"), Poll: 30 * time.Second, Algorithm: "RS256"}}, 125},
			Canary: Canary{50, gateway.ByTeam},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse(filepath.Join(dir, "attache.yaml"), []byte(begin+c.text), environment)
			if err != nil {
				t.Fatal(err)
			}
			d := Default().Policy
			c.want.Deadline, c.want.Default, c.want.LastGood = d.Deadline, d.Default, filepath.Join(dir, d.LastGood)
			if !reflect.DeepEqual(got.Policy, c.want) {
				t.Errorf("got  %+v\nwant %+v", got.Policy, c.want)
			}
		})
	}
}
