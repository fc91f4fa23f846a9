package dialect

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

func TestIsBase64(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "QUJD": true, "QUI=": true, "QQ==": true, "QUI": true, "QQ": true,
		"Q": false, "QUJDR": false, "QU=": false, "Q===": false, "QU-D": false, "QU D": false, "QU=D": false, "QU...D": false,
	} {
		if got := IsBase64(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
		_, padded := base64.StdEncoding.DecodeString(text)
		_, bare := base64.RawStdEncoding.DecodeString(text)
		if (padded == nil || bare == nil) != want {
			t.Errorf("%q: the library says otherwise", text)
		}
	}
}

// Broken bytes and bytes beyond the model's limit are refused by their place
// (E15, sizes).
func TestCheckMedia(t *testing.T) {
	body := []byte(`{"messages":[{"image":"x"}]}`)
	n := &Notes{Request: &llm.Request{Body: llm.Body{Raw: body}}}
	for data, want := range map[string]int{"": 0, "QUJD": 0, "QU.D": 400, strings.Repeat("QUJD", 10): 413} {
		p := &llm.Part{Media: llm.Media{Data: data}, Raw: body[13:26]}
		err := n.CheckMedia(p, &llm.Rules{MaxMedia: 29})
		var e *llm.Error
		switch {
		case want == 0 && err != nil, want != 0 && (!errors.As(err, &e) || e.Status != want || e.Param != "messages[0]"):
			t.Errorf("%s: %v", data, err)
		}
	}
}
