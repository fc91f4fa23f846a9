package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/attache-gateway/attache/bench/mock"
)

// signer is the account whose signatures the provider aws takes.
var signer = mock.SigV4{AccessKey: "key-of-aws", Secret: "secret-of-aws/+", Token: "key-of-aws-token", Region: "eu-test-1", Service: "bedrock"}

// awsFile is a shared credentials file.
func awsFile(s mock.SigV4) []byte {
	return fmt.Appendf(nil, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\naws_session_token = %s\n", s.AccessKey, s.Secret, s.Token)
}

// A tokenServer gives out tokens, key-of-gcp-1 and so on, as Google does.
type tokenServer struct {
	*httptest.Server
	given atomic.Int64
	hold  chan struct{} // closed: answers go out
}

func startTokens(t *testing.T) *tokenServer {
	s := &tokenServer{hold: make(chan struct{})}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || strings.Count(r.FormValue("assertion"), ".") != 2 {
			http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
			return
		}
		select {
		case <-s.hold:
		case <-r.Context().Done():
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":"key-of-gcp-%d","expires_in":3600,"token_type":"Bearer"}`, s.given.Add(1))
	}))
	t.Cleanup(s.Close)
	return s
}

// account writes a service account's key, whose tokens come from the server.
func (s *tokenServer) account(t *testing.T, path string) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "gateway@test", "private_key_id": "1", "token_uri": s.URL,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, text)
}

// A cloud is a provider for which a key in the configuration will not do.
type cloud struct {
	name, line string
	options    mock.Options
}

// beginWith starts a world with more providers. A %s in a line is the
// provider's URL.
func beginWith(t *testing.T, version string, clouds ...cloud) *world {
	t.Helper()
	started := map[string]*mock.Server{}
	var lines []string
	for _, c := range clouds {
		c.options.Name, c.options.Log = c.name, 4096
		s, err := mock.Start(c.options)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		started[c.name] = s
		lines = append(lines, "  "+c.name+": "+fmt.Sprintf(c.line, s.URL()))
	}
	w := begin(t, version, lines...)
	for name, s := range started {
		w.providers[name] = s
	}
	return w
}

// beginClouds starts a world with a provider for each way to prove who calls.
func beginClouds(t *testing.T, version string) *world {
	t.Helper()
	dir := t.TempDir()
	tokens := startTokens(t)
	close(tokens.hold)
	tokens.account(t, filepath.Join(dir, "gcp.json"))
	write(t, filepath.Join(dir, "aws"), awsFile(signer))
	write(t, filepath.Join(dir, "key"), []byte("key-of-custom\n"))
	write(t, filepath.Join(dir, "sds.json"), []byte(`{"resources":[{"@type":"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",`+
		`"name":"injected","generic_secret":{"secret":{"inline_string":"key-of-injected"}}}]}`))
	return beginWith(t, version,
		cloud{"aws", `{kind: bedrock, url: "%s", region: eu-test-1, auth: aws, credentials_file: ` + filepath.Join(dir, "aws") + "}",
			mock.Options{Dialect: mock.Bedrock, Auth: signer.Check}},
		cloud{"gcp", `{kind: openai, url: "%s/v1", auth: gcp, credentials_file: ` + filepath.Join(dir, "gcp.json") + "}", mock.Options{Dialect: mock.OpenAI}},
		cloud{"custom", `{kind: anthropic, url: "%s", key_header: X-Own-Key, key_file: ` + filepath.Join(dir, "key") + "}", mock.Options{Dialect: mock.Anthropic}},
		cloud{"injected", `{kind: openai, url: "%s/v1", auth: envoy, key_header: api-key, sds_file: ` + filepath.Join(dir, "sds.json") + "}", mock.Options{Dialect: mock.OpenAI}},
	)
}

// TestSigV4 has signatures checked by somebody who computes them from Amazon's
// description: those of first attempts and of later ones, for names that have
// to be escaped twice, and after the credentials were changed.
func TestSigV4(t *testing.T) {
	for _, version := range []string{"1.40", "1.39"} {
		t.Run(version, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "aws")
			write(t, file, awsFile(signer))
			var account atomic.Pointer[mock.SigV4]
			account.Store(&signer)
			check := func(r *http.Request, body []byte) error { return account.Load().Check(r, body) }
			w := beginWith(t, version, cloud{"aws", `{kind: bedrock, url: "%s", region: eu-test-1, auth: aws, credentials_file: ` + file + "}",
				mock.Options{Dialect: mock.Bedrock, Auth: check}})
			models := []string{
				"m", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "amazon.nova-lite-v1:0",
				"arn:aws:bedrock:eu-test-1:123456789012:application-inference-profile/a1b2c3",
			}
			for _, model := range models {
				for _, q := range []ask{{dialect: "openai"}, {dialect: "openai", stream: true}, {dialect: "anthropic", stream: true}} {
					for _, q.model = range []string{"aws/" + model, "o/m@fault=503,aws/" + model, "aws/" + model + "@fault=503,aws/" + model} {
						if got := q.outcome(w.do(t, q)); got != "good" {
							t.Errorf("%s, stream %v, %s: %s", q.dialect, q.stream, q.model, got)
						}
					}
				}
			}
			for _, e := range w.providers["aws"].Log() {
				if strings.Contains(e.Path, "arn") && !strings.Contains(e.Path, "profile%2Fa1b2c3") {
					t.Errorf("the path %s", e.Path)
				}
			}
			q := ask{dialect: "openai", model: "aws/m"}
			next := signer
			next.AccessKey, next.Secret = "key-of-aws-2", "another"
			account.Store(&next)
			if got := q.outcome(w.do(t, q)); got != "502 upstream_error" {
				t.Errorf("with credentials from before: %s", got)
			}
			write(t, file, awsFile(next))
			eventually(t, "a signature with the new credentials", func() bool { return q.outcome(w.do(t, q)) == "good" })
			if text := w.log.String(); strings.Contains(text, "secret-of-aws") || strings.Contains(text, "key-of-aws-token") {
				t.Error("a secret is in the log")
			}
		})
	}
}

// TestNoCredential has a token server that does not answer: nobody waits for
// it, and who needs it is told.
func TestNoCredential(t *testing.T) {
	tokens := startTokens(t)
	file := filepath.Join(t.TempDir(), "gcp.json")
	tokens.account(t, file)
	w := beginWith(t, "1.40", cloud{"gcp", `{kind: openai, url: "%s/v1", auth: gcp, credentials_file: ` + file + "}", mock.Options{Dialect: mock.OpenAI}})
	q := ask{dialect: "openai", model: "gcp/m"}
	a := w.do(t, q)
	if got := q.outcome(a); got != "503 no_target" || !strings.Contains(a.body, `\"gcp\"`) {
		t.Errorf("%s: %s", got, a.body)
	}
	if r := w.row(t, a); r.code != "no_target" || r.target != "" {
		t.Errorf("the row is %+v", r)
	}
	q.model = "gcp/m,o/m"
	if a := w.do(t, q); q.outcome(a) != "good" || a.header.Get("X-Attache-Provider") != "o" || !strings.Contains(a.header.Get("X-Attache-Warnings"), "gcp/m left out") {
		t.Errorf("%s: %v", q.outcome(a), a.header)
	}
	const ready = `attache_credential_ready{provider="gcp"}`
	w.awaitMetrics(t, map[string]string{ready: "0"})
	close(tokens.hold)
	q.model = "gcp/m"
	eventually(t, "a token", func() bool { return q.outcome(w.do(t, q)) == "good" })
	w.awaitMetrics(t, map[string]string{ready: "1"})
	if n := w.providers["gcp"].Stats().Requests; n != 1 {
		t.Errorf("the provider had %d requests, most of them without a token", n)
	}

	// A new configuration fetches anew, and the goroutines of the old one end.
	before := tokens.given.Load()
	text, err := os.ReadFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, w.file, append(text, "\nusage_chunk: pass\n"...))
	eventually(t, "a token of the new configuration", func() bool { return tokens.given.Load() > before })
	eventually(t, "one goroutine alone that fetches", func() bool { return fetchers() == 1 })
	w.stop()
	if n := fetchers(); n != 0 {
		t.Errorf("%d goroutines fetch tokens for nobody", n)
	}
}

// fetchers counts the goroutines that keep credentials fresh.
func fetchers() int {
	buf := make([]byte, 4<<20)
	return strings.Count(string(buf[:runtime.Stack(buf, true)]), "credential.(*refresher).run(")
}
