package mock

import (
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSigV4Derivation holds the signing key against the value in Amazon's
// description ("Deriving the signing key", example values).
func TestSigV4Derivation(t *testing.T) {
	key := []byte("AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
	for _, step := range [...]string{"20150830", "us-east-1", "iam", "aws4_request"} {
		key = mac(key, step)
	}
	const toSign = "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\nf536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59"
	const want = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
	if got := hex.EncodeToString(mac(key, toSign)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := escape("/model/a%3A0/x y"); got != "/model/a%253A0/x%20y" {
		t.Error(got)
	}
}

// A request without a signature, or with a broken one, is refused.
func TestSigV4Refuses(t *testing.T) {
	check := SigV4{AccessKey: "AK", Secret: "s", Region: "r", Service: "bedrock"}
	now := time.Now().UTC()
	scope := now.Format("20060102") + "/r/bedrock/aws4_request"
	header := func(credential, signed, date string) http.Header {
		return http.Header{"X-Amz-Date": {date}, "X-Amz-Content-Sha256": {sum([]byte("{}"))},
			"Authorization": {"AWS4-HMAC-SHA256 Credential=" + credential + ", SignedHeaders=" + signed + ", Signature=00"}}
	}
	date := now.Format("20060102T150405Z")
	const signed = "host;x-amz-content-sha256;x-amz-date"
	token := header("AK/"+scope, signed, date)
	token.Set("X-Amz-Security-Token", "t")
	for want, h := range map[string]http.Header{
		"no signature":   {"Authorization": {"Bearer x"}},
		"does not match": header("AK/"+scope, signed, date),
		"not now":        header("AK/"+scope, signed, now.Add(-time.Hour).Format("20060102T150405Z")),
		"credential is":  header("XX/"+scope, signed, date),
		"is not signed":  header("AK/"+scope, "host;x-amz-date", date),
		"security token": token,
		"is not there":   header("AK/"+scope, "host;x-amz-content-sha256;x-amz-date;x-none", date),
		"another hash": func() http.Header {
			h := header("AK/"+scope, signed, date)
			h.Set("X-Amz-Content-Sha256", "00")
			return h
		}(),
		"are not sorted": header("AK/"+scope, "x-amz-date;host;x-amz-content-sha256", date),
	} {
		r := &http.Request{Method: "POST", Host: "h", RequestURI: "/x", Header: h}
		if err := check.Check(r, []byte("{}")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
