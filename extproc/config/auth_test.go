package config

import (
	"os"
	"reflect"
	"regexp"
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
