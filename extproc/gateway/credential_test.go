package gateway

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

// proof is a credential of a test: it repeats what it signs.
type proof struct {
	header string
	err    error
	refuse error // of Headers
	signed *Outgoing
}

func (p *proof) Names() []string { return []string{p.header} }
func (p *proof) Ready() error    { return p.err }
func (p *proof) Headers(o *Outgoing) ([]llm.Header, error) {
	p.signed = o
	return []llm.Header{{Name: p.header, Value: "proof"}}, p.refuse
}

func TestWithoutCredential(t *testing.T) {
	down := errors.New("sts: down, canary")
	for _, tt := range []struct {
		model string
		a, b  error
		want  string // clusters, or what the answer says
	}{
		{"a/m", down, nil, `provider "a" at`},
		{"a/m,b/n,a/o", down, down, `provider "a", "b" at`},
		{"a/m,b/n", down, nil, "b"},
		{"a/m,b/n,c/o", nil, down, "a.retry c.retry"},
		{"c/m", down, down, "c"},
	} {
		h := newGateway(t, func(o *Options) {
			o.Providers[0].Credential, o.Providers[1].Credential = &proof{header: "x-a", err: tt.a}, &proof{header: "x-b", err: tt.b}
		})
		x, answer, f := decide(t, h, chatPath, chat(tt.model, ""))
		if answer == nil {
			if got := strings.Join(f.Clusters, " "); got != tt.want {
				t.Errorf("%s: %s, want %s", tt.model, got, tt.want)
			}
			continue
		}
		body := strings.ReplaceAll(string(answer.Body), `\"`, `"`)
		if answer.Status != 503 || x.record.Code != llm.CodeNoTarget || !strings.Contains(body, tt.want) {
			t.Errorf("%s: %d %s", tt.model, answer.Status, body)
		}
		if strings.Contains(body, "canary") || !strings.Contains(x.record.Detail, "canary") {
			t.Errorf("%s: the client reads %s, the operator %s", tt.model, body, x.record.Detail)
		}
	}
}

// An attempt carries its own provider's credential and removes what any other
// provider's attempt may have set.
func TestCredentialOfAnAttempt(t *testing.T) {
	a, b := &proof{header: "x-a"}, &proof{header: "x-b"}
	h := newGateway(t, func(o *Options) { o.Providers[0].Credential, o.Providers[1].Credential = a, b })
	x, _, _ := decide(t, h, chatPath+"?v=1", chat("a/m,b/n", ""))
	first, _, err := x.Attempt(1, "a.retry")
	if err != nil {
		t.Fatal(err)
	}
	second, _, err := x.Attempt(2, "b.retry")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		up          *Upstream
		own, others string
	}{{first, "x-a", "x-b"}, {second, "x-b", "x-a"}} {
		if !sets(tt.up.Set, tt.own) || slices.Contains(tt.up.Remove, tt.own) || sets(tt.up.Set, tt.others) || !slices.Contains(tt.up.Remove, tt.others) ||
			!slices.Contains(tt.up.Remove, "authorization") {
			t.Errorf("sets %v, removes %v", tt.up.Set, tt.up.Remove)
		}
	}
	o := b.signed
	if o.Method != "POST" || o.Host != "b" || o.Path != "/v1/messages" || o.ContentType != "application/json" || string(o.Body) != string(second.Body) {
		t.Errorf("signed %+v", o)
	}
}

func TestKeyHeader(t *testing.T) {
	for name, want := range map[string]bool{
		"authorization": true, "api-key": true, "x-api-key": true, "x-goog-api-key": true, "ocp-apim-subscription-key": true,
		"": false, "X-Key": false, "a b": false, ":path": false, "host": false, "cookie": false, "user-agent": false, "accept": false,
		"content-type": false, "content-length": false, "x-attache-try-1": false, "x-envoy-max-retries": false, "x-amz-date": false,
		"anthropic-version": false, "transfer-encoding": false, "accept-encoding": false, "traceparent": false,
	} {
		if KeyHeader(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}
