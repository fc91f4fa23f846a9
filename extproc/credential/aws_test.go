package credential

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/attache-gateway/attache/bench/mock"
	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

// alone hides what the machine that runs the test has of its own.
func alone(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "AZURE_") || strings.HasPrefix(name, "GOOGLE_") || strings.HasPrefix(name, "CLOUDSDK_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	t.Setenv("HOME", home)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	return home
}

func place(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const profiles = "[default]\naws_access_key_id = file\naws_secret_access_key = s\n[prod]\naws_access_key_id = prod\naws_secret_access_key = s\n"

// accessKey is what a signature says of whose it is.
func accessKey(t *testing.T, g grant) string {
	t.Helper()
	hs, err := g.sign(&gateway.Outgoing{Method: "POST", Host: "h", Path: "/p"})
	if err != nil {
		t.Fatal(err)
	}
	_, key, _ := strings.Cut(hs[0].Value, "Credential=")
	key, _, _ = strings.Cut(key, "/")
	return key
}

// TestAWSChain finds credentials where the SDKs of AWS do.
func TestAWSChain(t *testing.T) {
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stamp := expires.Format(time.RFC3339)
		if r.Method == http.MethodGet { // what ECS and EKS serve
			fmt.Fprintf(w, `{"AccessKeyId":"container","SecretAccessKey":"s","Token":"t","Expiration":%q}`, stamp)
			return
		}
		if r.FormValue("Action") != "AssumeRoleWithWebIdentity" || r.FormValue("WebIdentityToken") != "jwt" {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>web</AccessKeyId>`+
			`<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials>`+
			`</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, stamp)
	}))
	defer server.Close()
	shared := func(t *testing.T, home string) {
		t.Setenv("AWS_SHARED_CREDENTIALS_FILE", place(t, filepath.Join(home, "shared"), profiles))
	}
	environment := func(t *testing.T, _ string) {
		t.Setenv("AWS_ACCESS_KEY_ID", "env")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "s")
	}
	for _, tt := range []struct {
		name    string
		from    AWS
		prepare func(t *testing.T, home string)
		want    string // access key, or "error: " and what it says
		expires bool
	}{
		{"environment", AWS{}, environment, "env", false},
		{"default profile", AWS{}, shared, "file", false},
		{"named profile", AWS{Profile: "prod"}, shared, "prod", false},
		{"named profile before the environment", AWS{Profile: "prod"}, func(t *testing.T, home string) { shared(t, home); environment(t, home) }, "prod", false},
		{"unknown profile", AWS{Profile: "none"}, shared, "error: profile, none", false},
		{"file before the environment", AWS{File: "own"}, environment, "file", false},
		{"missing file", AWS{File: "missing"}, environment, "error: no such file", false},
		{"container", AWS{}, func(t *testing.T, _ string) { t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", server.URL) }, "container", true},
		{"web identity", AWS{}, func(t *testing.T, home string) {
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", place(t, filepath.Join(home, "jwt"), "jwt"))
			t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r")
			t.Setenv("AWS_ENDPOINT_URL_STS", server.URL)
		}, "web", true},
		{"nothing", AWS{}, func(*testing.T, string) {}, "error: no EC2 IMDS role found", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			home := alone(t)
			tt.prepare(t, home)
			tt.from.Region = "eu-test-1"
			if tt.from.File != "" {
				tt.from.File = filepath.Join(home, tt.from.File)
				if strings.HasSuffix(tt.from.File, "own") {
					place(t, tt.from.File, profiles)
				}
			}
			g, err := tt.from.fetch(t.Context(), nil)
			if err != nil {
				if want, ok := strings.CutPrefix(tt.want, "error: "); !ok || !strings.Contains(plain(err).Error(), want) {
					t.Errorf("%v", plain(err))
				}
				return
			}
			if got := accessKey(t, g); got != tt.want || !g.expires.IsZero() != tt.expires || tt.expires && expires.Sub(g.expires).Abs() > 5*time.Minute {
				t.Errorf("%s, expires %s", got, g.expires)
			}
			if found, err := tt.from.Look(t.Context()); err != nil || found != "found" {
				t.Errorf("looking: %s, %v", found, err)
			}
		})
	}
}

// TestSignature has signatures checked by somebody who does not share code with
// the signer.
func TestSignature(t *testing.T) {
	for _, token := range []string{"", "session/token=="} {
		account := mock.SigV4{AccessKey: "AK", Secret: "s/+=", Token: token, Region: "eu-test-1", Service: "bedrock"}
		sign := AWS{Region: account.Region}.signer(aws.Credentials{AccessKeyID: account.AccessKey, SecretAccessKey: account.Secret, SessionToken: token}, time.Now)
		for _, o := range []gateway.Outgoing{
			{Method: "POST", Host: "bedrock-runtime.eu-test-1.amazonaws.com", Path: "/model/m/converse", ContentType: "application/json", Body: []byte("{}")},
			{Method: "POST", Host: "127.0.0.1:443", Path: "/model/us.anthropic.claude-v1%3A0/converse-stream", Body: []byte("x")},
			{Method: "POST", Host: "h:80", Path: "/model/arn%3Aaws%3Abedrock%3A%3A1%3Aprofile%2Fa/converse?b=2&a=1%20%2B&a=0"},
			{Method: "GET", Host: "h", Path: "/model/a%20b%25~-_.%40/x"},
		} {
			hs, err := sign(&o)
			if err != nil {
				t.Fatal(err)
			}
			r := &http.Request{Method: o.Method, Host: o.Host, RequestURI: o.Path, Header: http.Header{}}
			if o.ContentType != "" {
				r.Header.Set("content-type", o.ContentType)
			}
			for _, h := range hs {
				r.Header.Set(h.Name, h.Value)
			}
			if err := account.Check(r, o.Body); err != nil {
				t.Errorf("%s: %v", o.Path, err)
			}
			if err := account.Check(r, append(o.Body, '!')); err == nil {
				t.Errorf("%s: another body passes", o.Path)
			}
		}
	}
}

// Who signs for a body that is not known would have the provider refuse it,
// after all of it was sent.
func TestUnreadIsNotSigned(t *testing.T) {
	sign := AWS{Region: "eu-test-1"}.signer(aws.Credentials{AccessKeyID: "AK", SecretAccessKey: "s"}, time.Now)
	var refusal *llm.Error
	if hs, err := sign(&gateway.Outgoing{Method: "POST", Host: "h", Path: "/openai/v1/files", Unread: true}); !errors.As(err, &refusal) || refusal.Status != 400 {
		t.Errorf("got %v, %v", hs, err)
	}
}

func BenchmarkSign(b *testing.B) {
	sign := AWS{Region: "eu-test-1"}.signer(aws.Credentials{AccessKeyID: "AK", SecretAccessKey: "s", SessionToken: "t"}, time.Now)
	o := &gateway.Outgoing{Method: "POST", Host: "h", Path: "/model/m/converse", ContentType: "application/json", Body: make([]byte, 2<<10)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sign(o); err != nil {
			b.Fatal(err)
		}
	}
}

// drain keeps a request's body from holding its connection.
func drain(r *http.Request) string {
	if r.Body == nil {
		return ""
	}
	text, _ := io.ReadAll(r.Body)
	return string(text)
}
