package gateway

import (
	"slices"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/llm"
)

func TestGoogleFront(t *testing.T) {
	for _, c := range []struct {
		path  string
		op    llm.Op // empty: no path of Google's
		asked asked
	}{
		{"/v1beta/models/gemini-2.5-flash:generateContent", llm.OpChat, asked{model: "gemini-2.5-flash"}},
		{"/v1/models/gemini-2.5-flash:generateContent?key=secret", llm.OpChat, asked{model: "gemini-2.5-flash"}},
		{"/models/smart:generateContent", llm.OpChat, asked{model: "smart"}},
		{"/v1beta/models/openai/ft:gpt-4o:org:streamGenerateContent?alt=sse", llm.OpChat, asked{model: "openai/ft:gpt-4o:org", stream: true}},
		{"/v1beta/models/openai%2Fgpt-4o%3AstreamGenerateContent?%24alt=json", llm.OpChat, asked{model: "openai/gpt-4o", stream: true, array: true}},
		{"/v1beta/models/m:countTokens", llm.OpCountTokens, asked{model: "m"}},
		{"/v1beta/models/m:embedContent", llm.OpEmbeddings, asked{model: "m"}},
		{"/v1beta/models/m:batchEmbedContents", llm.OpEmbeddings, asked{model: "m"}},
		{"/v1beta/models/m:predict", "", asked{}},
		{"/v1beta/models/:generateContent", "", asked{}},
		{"/v1beta/tunedModels", "", asked{}},
	} {
		f, err := frontOf(&Head{Method: "POST", Path: c.path})
		switch {
		case f.dialect != llm.Gemini:
			t.Errorf("%s: the dialect is %s", c.path, f.dialect)
		case c.op == "":
			if err == nil || err.Status != 404 {
				t.Errorf("%s: got %v", c.path, err)
			}
		case err != nil || f.op != c.op || f.asked != c.asked:
			t.Errorf("%s: got %+v, %v", c.path, f, err)
		}
	}
	if _, err := frontOf(&Head{Method: "GET", Path: "/v1beta/models/m:generateContent"}); err == nil || err.Status != 405 {
		t.Errorf("GET: got %v", err)
	}
	if f, err := frontOf(&Head{Method: "GET", Path: "/v1/models/ft:gpt-4o:org"}); err != nil || f.op != llm.OpModels || f.dialect != llm.OpenAI {
		t.Errorf("a model of OpenAI's with colons: got %+v, %v", f, err)
	}
}

// A query may hold a key: what is written down is the path without it.
func TestQueryIsNotRecorded(t *testing.T) {
	h := &Head{Path: "/v1beta/models/m:generateContent?key=secret"}
	if path, query := h.path(); path != "/v1beta/models/m:generateContent" || query != "key=secret" {
		t.Errorf("got %q and %q", path, query)
	}
}

// Google says in the body how long to wait; SDKs look for it in a header.
func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		wait time.Duration
		head []llm.Header
		want []llm.Header
	}{
		{0, nil, nil},
		{34500 * time.Millisecond, nil, []llm.Header{{Name: "retry-after", Value: "35"}}},
		{time.Second, []llm.Header{{Name: "retry-after", Value: "9"}}, nil},
	} {
		if got := retryAfter(&llm.Error{RetryAfter: c.wait}, c.head); !slices.Equal(got, c.want) {
			t.Errorf("%v: got %v", c.wait, got)
		}
	}
}

// Others say it in a header, and Google's clients look for it in the body.
func TestWaitIn(t *testing.T) {
	for text, want := range map[string]time.Duration{"7": 7 * time.Second, "": 0, "-1": 0, "Wed, 21 Oct 2026 07:28:00 GMT": 0, "99999999999": 0} {
		if got := waitIn([]llm.Header{{Name: "retry-after", Value: text}}); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}
