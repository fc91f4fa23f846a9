package mock

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// SigV4 checks signatures of requests to AWS, as a service does that knows one
// caller. It is written from Amazon's description, "Create a signed AWS API
// request" in the IAM user guide, and shares nothing with who signs.
type SigV4 struct {
	AccessKey, Secret string
	Token             string // of temporary credentials; empty: there must be none
	Region, Service   string
}

// maxSkew is how far the clock of a caller may be off.
const maxSkew = 5 * time.Minute

// Check returns what is wrong with the signature of a request.
func (s SigV4) Check(r *http.Request, body []byte) error {
	parts, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return errors.New("sigv4: there is no signature")
	}
	field := map[string]string{}
	for part := range strings.SplitSeq(parts, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		field[name] = value
	}
	date := r.Header.Get("X-Amz-Date")
	at, err := time.Parse("20060102T150405Z", date)
	if err != nil || time.Since(at).Abs() > maxSkew {
		return fmt.Errorf("sigv4: the date %q is not now", date)
	}
	scope := strings.Join([]string{date[:8], s.Region, s.Service, "aws4_request"}, "/")
	if field["Credential"] != s.AccessKey+"/"+scope {
		return fmt.Errorf("sigv4: the credential is %q, want %s/%s", field["Credential"], s.AccessKey, scope)
	}
	if got := r.Header.Get("X-Amz-Security-Token"); got != s.Token {
		return errors.New("sigv4: another security token")
	}
	if got := r.Header.Get("X-Amz-Content-Sha256"); got != sum(body) {
		return fmt.Errorf("sigv4: the body has another hash than %s", got)
	}
	canonical, err := s.canonical(r, strings.Split(field["SignedHeaders"], ";"), sum(body))
	if err != nil {
		return err
	}
	toSign := strings.Join([]string{"AWS4-HMAC-SHA256", date, scope, sum([]byte(canonical))}, "\n")
	key := []byte("AWS4" + s.Secret)
	for _, step := range [...]string{date[:8], s.Region, s.Service, "aws4_request", toSign} {
		key = mac(key, step)
	}
	if hex.EncodeToString(key) != field["Signature"] {
		return fmt.Errorf("sigv4: the signature does not match the canonical request\n%s", canonical)
	}
	return nil
}

// canonical is the canonical request. The path is what came over the wire,
// escaped once more.
func (s SigV4) canonical(r *http.Request, signed []string, hash string) (string, error) {
	must := []string{"host", "x-amz-content-sha256", "x-amz-date"}
	if s.Token != "" {
		must = append(must, "x-amz-security-token")
	}
	for _, name := range must {
		if !slices.Contains(signed, name) {
			return "", fmt.Errorf("sigv4: %s is not signed", name)
		}
	}
	if !slices.IsSorted(signed) {
		return "", errors.New("sigv4: the signed headers are not sorted")
	}
	path, rawQuery, _ := strings.Cut(r.RequestURI, "?")
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return "", fmt.Errorf("sigv4: %w", err)
	}
	var headers strings.Builder
	for _, name := range signed {
		values := r.Header.Values(name)
		if name == "host" {
			values = []string{r.Host}
		}
		if len(values) == 0 {
			return "", fmt.Errorf("sigv4: %s is signed and is not there", name)
		}
		headers.WriteString(name + ":" + strings.Join(strings.Fields(strings.Join(values, ",")), " ") + "\n")
	}
	return strings.Join([]string{r.Method, escape(path), canonicalQuery(query), headers.String(), strings.Join(signed, ";"), hash}, "\n"), nil
}

func canonicalQuery(query url.Values) string {
	var pairs []string
	for name, values := range query {
		for _, v := range values {
			pairs = append(pairs, escapeAll(name)+"="+escapeAll(v))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// escape is UriEncode of the description, for a path: slashes stay.
func escape(path string) string { return strings.ReplaceAll(escapeAll(path), "%2F", "/") }

func escapeAll(s string) string {
	var out strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
