package credential

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// serviceAccount returns the text of a service account's key.
func serviceAccount(t *testing.T, tokens string) string {
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
		"type": "service_account", "client_email": "gateway@test", "private_key_id": "1", "token_uri": tokens,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// told is a log that tells when there is a credential again.
type told chan struct{}

func (t told) Write(line []byte) (int, error) {
	if strings.Contains(string(line), "again") {
		t <- struct{}{}
	}
	return len(line), nil
}

// TestGoogle gets tokens with a service account's key, from a server that fails
// first.
func TestGoogle(t *testing.T) {
	home := alone(t)
	var status atomic.Int64
	status.Store(http.StatusServiceUnavailable)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var claims struct{ Iss, Scope, Aud string }
		parts := strings.Split(r.FormValue("assertion"), ".")
		text, err := base64.RawURLEncoding.DecodeString(parts[min(1, len(parts)-1)])
		if err != nil || json.Unmarshal(text, &claims) != nil || claims.Iss != "gateway@test" || claims.Scope != googleScope || claims.Aud == "" {
			t.Errorf("the assertion says %s", text)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(int(status.Load()))
		if status.Load() != http.StatusOK {
			fmt.Fprint(w, `{"error":"temporarily_unavailable","error_description":"canary"}`)
			return
		}
		fmt.Fprint(w, `{"access_token":"t","expires_in":3600,"token_type":"Bearer"}`)
	}))
	defer server.Close()
	file := place(t, filepath.Join(home, "sa.json"), serviceAccount(t, server.URL))

	again := make(told, 1)
	set := NewSet(slog.New(slog.NewTextHandler(again, nil)))
	defer set.Close()
	c := set.Add("p", Google{File: file})
	set.Start()
	set.Await(t.Context())
	if err := c.Ready(); err == nil || err.Error() != "credential: the token server answered 503 temporarily_unavailable" {
		t.Errorf("%v", err)
	}
	status.Store(http.StatusOK)
	<-again // after the next try, in a second
	hs, err := c.Headers(&gateway.Outgoing{})
	if err != nil || len(hs) != 1 || hs[0].Name != "authorization" || hs[0].Value != "Bearer t" {
		t.Errorf("%v, %v", hs, err)
	}

	for _, tt := range []struct{ text, want string }{
		{"no JSON", "is not a JSON file"},
		{`{"type":"service_account"}`, ""},
		{`{"type":"other"}`, "other"},
	} {
		g := Google{File: place(t, filepath.Join(home, "x.json"), tt.text)}
		_, err := g.fetch(t.Context(), newClient())
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.text, err)
		}
	}
}

// TestGoogleLook says where the application default credentials are, without a
// call.
func TestGoogleLook(t *testing.T) {
	home := alone(t)
	look := func(g Google, want string) {
		t.Helper()
		found, err := g.Look(t.Context())
		if err != nil {
			found = err.Error()
		}
		if !strings.Contains(found, want) {
			t.Errorf("%s", found)
		}
	}
	look(Google{}, "metadata server")
	look(Google{File: "/none"}, "no such file")
	path := place(t, filepath.Join(home, ".config/gcloud/application_default_credentials.json"), serviceAccount(t, "http://127.0.0.1:1"))
	look(Google{}, "found in "+path)
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", place(t, filepath.Join(home, "other.json"), "{}"))
	look(Google{}, "other.json")
}
