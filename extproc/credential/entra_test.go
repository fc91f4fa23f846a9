package credential

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
)

// microsoft plays the servers of Entra ID.
type microsoft struct {
	status int        // of the token endpoint
	form   url.Values // that it was sent
}

func (m *microsoft) Do(r *http.Request) (*http.Response, error) {
	const base = "https://login.microsoftonline.com/tenant"
	status, text := http.StatusOK, ""
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/discovery/instance"):
		text = fmt.Sprintf(`{"tenant_discovery_endpoint":"%s/v2.0/.well-known/openid-configuration","metadata":[]}`, base)
	case strings.HasSuffix(path, "/openid-configuration"):
		text = fmt.Sprintf(`{"authorization_endpoint":"%s/oauth2/v2.0/authorize","token_endpoint":"%s/oauth2/v2.0/token","issuer":"%s/v2.0"}`, base, base, base)
	case path == "/tenant/oauth2/v2.0/token":
		m.form, _ = url.ParseQuery(drain(r))
		status, text = m.status, `{"access_token":"t","expires_in":3600,"token_type":"Bearer"}`
		if status != http.StatusOK {
			text = `{"error":"invalid_client","error_description":"AADSTS7000215: canary"}`
		}
	default:
		status = http.StatusNotFound
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

func TestEntra(t *testing.T) {
	home := alone(t)
	e := Entra{Tenant: "tenant", ClientID: "client"}
	server := &microsoft{status: http.StatusOK}
	get := func() (grant, error) { return e.get(t.Context(), azcore.ClientOptions{Transport: server}) }

	t.Setenv("AZURE_CLIENT_SECRET", "secret")
	g, err := get()
	if err != nil {
		t.Fatal(err)
	}
	hs, _ := g.sign(nil)
	if hs[0].Name != "authorization" || hs[0].Value != "Bearer t" || time.Until(g.expires) < 50*time.Minute {
		t.Errorf("%v, until %s", hs, g.expires)
	}
	if f := server.form; f.Get("client_id") != "client" || f.Get("client_secret") != "secret" || !strings.Contains(f.Get("scope"), entraScope) {
		t.Errorf("asked with %v", f)
	}
	server.status = http.StatusUnauthorized
	if _, err := get(); err == nil || plain(err).Error() != "credential: the token server answered 401" {
		t.Errorf("%v", err)
	}
	server.status = http.StatusOK

	t.Setenv("AZURE_FEDERATED_TOKEN_FILE", place(t, filepath.Join(home, "jwt"), "jwt-1"))
	for _, jwt := range []string{"jwt-1", "jwt-2"} { // the cluster rotates it
		place(t, filepath.Join(home, "jwt"), jwt)
		if _, err := get(); err != nil || server.form.Get("client_assertion") != jwt {
			t.Errorf("%v, asked with %v", err, server.form)
		}
	}
	if found, err := e.Look(t.Context()); err != nil || found != "found, for workload identity" {
		t.Errorf("%s, %v", found, err)
	}
	if _, err := (Entra{Tenant: "t"}).Look(t.Context()); err == nil || !strings.Contains(err.Error(), "client_id") {
		t.Errorf("%v", err)
	}
}

func TestEntraLook(t *testing.T) {
	alone(t)
	for want, e := range map[string]Entra{
		"the managed identity will be asked for": {ClientID: "c"},
		"or Azure's command line":                {},
	} {
		if found, err := e.Look(t.Context()); err != nil || !strings.Contains(found, want) {
			t.Errorf("%s, %v", found, err)
		}
	}
	t.Setenv("AZURE_CLIENT_SECRET", "s")
	t.Setenv("AZURE_TENANT_ID", "t")
	t.Setenv("AZURE_CLIENT_ID", "c")
	if found, err := (Entra{}).Look(t.Context()); err != nil || !strings.Contains(found, "secret") {
		t.Errorf("%s, %v", found, err)
	}
}
