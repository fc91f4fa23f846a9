package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// private are headers of a client that are nobody else's business, each with
// the same secret in it.
func private() map[string]string {
	h := map[string]string{"Authorization": "Bearer clients-secret", "Cookie": "session=clients-secret"}
	for _, name := range []string{
		"X-Api-Key", "Api-Key", "X-Goog-Api-Key", "X-Amz-Security-Token", "Proxy-Authorization",
		"X-Attache-User", "X-Attache-Session", "X-Attache-Property-Team", "X-Attache-Something",
		"Helicone-Auth", "Helicone-User-Id", "Helicone-Property-Team",
		"X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Forwarded", "Via", "Origin", "Referer", "X-Unknown",
	} {
		h[name] = "clients-secret"
	}
	return h
}

// keys are the headers by which each provider learns who calls, with patterns
// of their values.
var keys = map[string]map[string]string{
	"o":  {"Authorization": "Bearer key-of-o"},
	"o2": {},
	"a":  {"X-Api-Key": "key-of-a"},
	"a2": {"X-Api-Key": "key-of-a2"},
	"aws": {
		"Authorization": "AWS4-HMAC-SHA256 Credential=key-of-aws/[0-9]{8}/eu-test-1/bedrock/aws4_request, " +
			"SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token, Signature=[0-9a-f]{64}",
		"X-Amz-Date": "[0-9]{8}T[0-9]{6}Z", "X-Amz-Content-Sha256": "[0-9a-f]{64}", "X-Amz-Security-Token": "key-of-aws-token",
	},
	"gcp":      {"Authorization": "Bearer key-of-gcp-[0-9]+"},
	"custom":   {"X-Own-Key": "key-of-custom"},
	"injected": {"Api-Key": "key-of-injected"},
}

// TestCredentials sends chains in which every attempt goes to a provider with
// another way to prove who calls. All attempts share one set of headers in
// Envoy, so that one's key could reach the next.
func TestCredentials(t *testing.T) {
	for _, version := range []string{"1.40", "1.39"} {
		t.Run(version, func(t *testing.T) {
			w := beginClouds(t, version)
			for _, chain := range [][]string{
				{"o", "a", "o2", "a2"}, {"a", "o2", "o", "a2"}, {"a2", "o", "a", "o2"}, {"o2", "a2", "o", "a"}, {"o"}, {"o2"}, {"a"},
				{"aws", "gcp", "injected", "custom", "o2", "a"}, {"custom", "aws", "o2", "injected", "gcp", "aws"}, {"gcp", "a2", "aws", "custom", "injected", "o2"},
				{"injected", "custom", "gcp", "o", "aws"}, {"aws"}, {"gcp"}, {"custom"}, {"injected"},
			} {
				for _, dialect := range []string{"openai", "anthropic"} {
					for _, stream := range []bool{false, true} {
						w.sendChain(t, ask{dialect: dialect, stream: stream, header: private()}, chain)
						w.sendChain(t, ask{dialect: dialect, stream: stream}, chain) // nothing of the client's to remove
					}
				}
			}
			for name := range keys {
				w.checkHeaders(t, version, name)
			}
		})
	}
}

// sendChain lets all targets but the last one fail. Each chain has a model of its
// own, because the gateway avoids one that failed others.
func (w *world) sendChain(t *testing.T, q ask, chain []string) {
	t.Helper()
	for _, name := range chain {
		q.model += fmt.Sprintf(",%s/m-%s-%t-%s@fault=503", name, q.dialect, q.stream, strings.Join(chain, "-"))
	}
	q.model = strings.TrimSuffix(q.model, "@fault=503")[1:]
	if got := q.outcome(w.do(t, q)); got != "good" {
		t.Errorf("%s: %s", q.model, got)
	}
}

func (w *world) checkHeaders(t *testing.T, version, name string) {
	t.Helper()
	log := w.providers[name].Log()
	if len(log) < 16 {
		t.Errorf("%s has had only %d requests", name, len(log))
	}
	for _, e := range log {
		for header, values := range e.Header {
			for _, v := range values {
				own, ok := keys[name][header]
				if ok = ok && regexp.MustCompile("^(?:"+own+")$").MatchString(v); !ok && (carriesKey(header) || strings.Contains(v, "secret") || strings.Contains(v, "key-of")) {
					t.Errorf("%s got %s: %s", name, header, v)
				}
			}
			if internal(header) && (version != "1.39" || !kept139(header)) {
				t.Errorf("%s got %s: %s", name, header, values)
			}
		}
		for header := range keys[name] {
			if len(e.Header[header]) != 1 {
				t.Errorf("%s got %s: %q", name, header, e.Header[header])
			}
		}
		if strings.Contains(string(e.Body), "key-of") || strings.Contains(string(e.Body), "secret") {
			t.Errorf("%s got a key in the body", name)
		}
	}
}

// carriesKey reports whether a header is some provider's for its key.
func carriesKey(header string) bool {
	for _, headers := range keys {
		if _, ok := headers[header]; ok {
			return true
		}
	}
	return header == "X-Goog-Api-Key"
}

// internal reports whether a header is between client, Envoy and gateway.
func internal(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"x-attache-", "x-envoy-", "x-forwarded-", "helicone-", "cookie"}, func(prefix string) bool {
		return strings.HasPrefix(name, prefix)
	})
}

// kept139 reports whether Envoy 1.39 needs a header until the last attempt.
func kept139(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "x-attache-try-") || strings.HasPrefix(name, "x-envoy-")
}

// TestForgedHeaders sends the headers by which the gateway and Envoy speak to
// each other.
func TestForgedHeaders(t *testing.T) {
	forged := map[string]string{
		"X-Attache-Try-1": "a", "X-Attache-Try-2": "a.retry", "X-Attache-Exchange": "0123456789abcdef0123456789abcdef",
		"X-Attache-Side": "upstream", "X-Attache-Length": "3",
		"X-Envoy-Max-Retries": "5", "X-Envoy-Retry-On": "5xx", "X-Envoy-Attempt-Count": "2",
		"X-Envoy-Upstream-Rq-Per-Try-Timeout-Ms": "1", "X-Envoy-Upstream-Rq-Timeout-Ms": "1",
		"X-Envoy-Original-Path": "/v1/models", "X-Envoy-Upstream-Alt-Stat-Name": "x",
	}
	for _, version := range []string{"1.40", "1.39"} {
		t.Run(version, func(t *testing.T) {
			w := begin(t, version)
			for _, c := range []struct{ model, want, provider string }{
				{"o/m@delay=50ms", "good", "o"},
				{"o/m@fault=503", "503 upstream_error", "o"},
				{"o2/m@fault=503@delay=50ms,o/m@delay=50ms", "good", "o"},
			} {
				q := ask{dialect: "openai", model: c.model, header: forged}
				a := w.do(t, q)
				if got := q.outcome(a); got != c.want || a.header.Get("X-Attache-Provider") != c.provider {
					t.Errorf("%s: %s from %s", c.model, got, a.header.Get("X-Attache-Provider"))
				}
			}
			for name, want := range map[string]int{"o": 3, "o2": 1, "a": 0} {
				if n := w.providers[name].Stats().Requests; n != want {
					t.Errorf("%s had %d requests, want %d", name, n, want)
				}
			}
		})
	}
}
