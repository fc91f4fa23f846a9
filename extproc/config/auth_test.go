package config

import (
	"os"
	"reflect"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/auth"
)

// What the annotated file says of issuers, in comments, is right, and the defaults
// that it names are those.
func TestAnnotatedIssuers(t *testing.T) {
	data, err := os.ReadFile(annotated)
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(`(?m)^  # issuers:\n(?:  #.*\n)+`).Find(data)
	if block == nil {
		t.Fatal("there are no issuers")
	}
	text := "providers: {a: {kind: openai, key: k}}\nauth:\n  mode: [keys, jwt]\n" + regexp.MustCompile(`(?m)^  # `).ReplaceAllString(string(block), "  ")
	c, err := Parse("x.yaml", []byte(text), environment)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	i := c.Auth.Issuers[0]
	if i.Refresh != 15*time.Minute || i.Leeway != 30*time.Second || !reflect.DeepEqual(i.Algorithms, auth.Asymmetric) || !reflect.DeepEqual(i.Claims, auth.DefaultClaims()) {
		t.Errorf("%+v", i)
	}
}

// A secret is never in a header: it may be any text that is long enough.
func TestSharedSecret(t *testing.T) {
	for _, c := range []struct{ secret, err string }{
		{"correct horse battery staple, für immer", ""},
		{"\t0123456789012345678901234567890 ", ""},
		{"", "x.yaml:4: auth.issuers.a.secret: needs 32 bytes for HS256"},
		{"correct horse battery", "x.yaml:4: auth.issuers.a.secret: needs 32 bytes for HS256"},
		{"correct horse battery staple, forever\n", "x.yaml:4: auth.issuers.a.secret: begins or ends with a line break, which is hardly a part of it"},
	} {
		text := "providers: {a: {kind: openai, key: k}}\nauth:\n  mode: jwt\n  issuers: {a: {issuer: i, audience: b, secret: " + strconv.Quote(c.secret) + "}}\n"
		got, err := Parse("x.yaml", []byte(text), environment)
		switch {
		case c.err != "" && (err == nil || err.Error() != c.err):
			t.Errorf("%q: have %v, want %s", c.secret, err, c.err)
		case c.err == "" && (err != nil || got.Auth.Issuers[0].Secret.Reveal() != c.secret):
			t.Errorf("%q: %v", c.secret, err)
		}
	}
}
