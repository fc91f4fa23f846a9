package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect/gemini"
	"github.com/attache-gateway/attache/extproc/llm"
)

func TestModelsByName(t *testing.T) {
	h := newGateway(t, func(o *Options) {
		o.Providers[0].Models = []string{"gpt-*", "org/m"}
		o.Providers[0].Known = []string{"gpt-5", "o3", "org/m"} // of which one is served and no other's
	})
	for path, want := range map[string]string{
		"/v1/models":                 `{"object":"model","id":"a/org/m","created":0,"owned_by":"a"},{"object":"model","id":"a/gpt-5","created":0,"owned_by":"a"},{"object":"model","id":"b/both"`,
		"/v1/models/smart":           `"id":"smart"`,
		"/v1/models/a/org/m":         `"id":"a/org/m"`,
		"/models/a%2Forg%2Fm?x=1":    `"id":"a/org/m"`,
		"/v1/models/a%2":             "model_not_found",
		"/v1/models/gpt-4o":          `"id":"gpt-4o"`, // a pattern's, listed or not
		"/v1/models/b/claude-9":      `"owned_by":"b"`,
		"/v1/models/gemini-pro":      "model_not_found",
		"/v1/models/smart%2Fnothing": "model_not_found",
	} {
		x, answer := h.Open(&Head{Method: "GET", Path: path, Headers: []llm.Header{{Name: ":method", Value: "GET"}}})
		if answer == nil {
			answer, _ = x.Decide(t.Context(), nil)
		}
		if !strings.Contains(string(answer.Body), want) {
			t.Errorf("%s: got %s, want %s", path, answer.Body, want)
		}
		x.Close(false)
	}
}

// A client's mistake is no failure of the gateway: its record has no detail for
// the log.
func TestMistakeIsNoFailure(t *testing.T) {
	var r *Record
	h := newGateway(t, func(o *Options) { o.Sinks = []Sink{sinkFunc(func(got *Record) { r = got })} })
	x, answer, _ := decide(t, h, chatPath, chat("b/claude", `,"n":2`))
	x.Close(false)
	if answer == nil || answer.Status != 400 || r.Code != llm.CodeUnsupported || r.Detail != "" {
		t.Errorf("answer %+v, record %+v", answer, r)
	}
	if len(r.Warnings) != 0 {
		t.Errorf("the refusal is repeated: %q", r.Warnings)
	}
	// Of several targets it is told what was wrong with each.
	x, _, _ = decide(t, h, chatPath, chat("b/claude,b/other", `,"n":2`))
	x.Close(false)
	if len(r.Warnings) != 2 {
		t.Errorf("warnings %q", r.Warnings)
	}
}

// Every format has members that its SDKs demand, and lists that are over.
func TestModelsOfEveryFormat(t *testing.T) {
	h := newGateway(t, func(o *Options) {
		o.Dialects = append(o.Dialects, gemini.New())
		o.Models = o.Models[:1]
		o.Providers[0].Models = []string{"gpt-*", "text-embedding-3-small", "org/m"}
		o.Providers[0].Rules = func(string) llm.Rules { return llm.Rules{Context: 2000, MaxOutput: 300} }
		o.Providers[1].Rules = func(string) llm.Rules { return llm.Rules{Context: 1000} }
		o.Auth = keyFunc(func(k Secret) (Caller, error) {
			switch k.Reveal() {
			case "some":
				return Caller{Models: []string{"gpt-4o", "claude", "text-*"}}, nil
			case "none":
				return Caller{Models: []string{}}, nil
			}
			return Caller{}, nil
		})
	})
	const (
		smart  = `{"type":"model","id":"smart","display_name":"smart","lifecycle":"active","capabilities":null,"max_input_tokens":1000,"max_tokens":300,"created_at":"1970-01-01T00:00:00Z"}`
		embeds = `{"name":"models/a/text-embedding-3-small","displayName":"a/text-embedding-3-small","version":"","supportedGenerationMethods":["embedContent","batchEmbedContents"],"inputTokenLimit":2000,"outputTokenLimit":300}`
	)
	for _, tt := range []struct {
		path    string
		headers []string
		want    string
	}{
		{"/v1/models", nil, `{"object":"list","data":[{"object":"model","id":"smart","created":0,"owned_by":"attache"},` +
			`{"object":"model","id":"a/text-embedding-3-small","created":0,"owned_by":"a"},{"object":"model","id":"a/org/m","created":0,"owned_by":"a"}` +
			`,{"object":"model","id":"b/both","created":0,"owned_by":"b"}]}`},
		// A name is listed if all that it stands for may be used.
		{"/v1/models/?limit=1", []string{"authorization", "Bearer some"}, `{"object":"list","data":[{"object":"model","id":"smart","created":0,"owned_by":"attache"},` +
			`{"object":"model","id":"a/text-embedding-3-small","created":0,"owned_by":"a"}]}`},
		{"/v1/models", []string{"authorization", "Bearer none"}, `{"object":"list","data":[]}`},
		{"/v1/models?limit=1", []string{"anthropic-version", "2023-06-01", "x-api-key", "some"}, `{"data":[` + smart +
			`,{"type":"model","id":"a/text-embedding-3-small","display_name":"a/text-embedding-3-small","lifecycle":"active","capabilities":null,"max_input_tokens":2000,"max_tokens":300,"created_at":"1970-01-01T00:00:00Z"}` +
			`],"has_more":false,"first_id":"smart","last_id":"a/text-embedding-3-small"}`},
		{"/v1/models", []string{"anthropic-version", "2023-06-01", "x-api-key", "none"}, `{"data":[],"has_more":false,"first_id":null,"last_id":null}`},
		{"/v1/models/smart", []string{"anthropic-version", "2023-06-01"}, smart},
		{"/v1beta/models?pageSize=50", []string{"x-goog-api-key", "some"}, `{"models":[{"name":"models/smart","displayName":"smart","version":"",` +
			`"supportedGenerationMethods":["generateContent","streamGenerateContent","countTokens"],"inputTokenLimit":1000,"outputTokenLimit":300},` + embeds + `]}`},
		{"/v1beta/models/a%2Ftext-embedding-3-small", nil, embeds},
		{"/v1/models/a/text-embedding-3-small", []string{"x-goog-api-key", "some"}, embeds},
		{"/v1/models/a/org/m", []string{"authorization", "Bearer some"}, `{"error":{"message":"no such model","type":"invalid_request_error","param":null,"code":"model_not_found"}}`},
	} {
		for range 2 { // always the same
			if _, answer, _ := ask(t, h, "GET", tt.path, "", tt.headers...); string(answer.Body) != tt.want {
				t.Errorf("%s %v: got %s, want %s", tt.path, tt.headers, answer.Body, tt.want)
			}
		}
	}
}

// TestModelsByPolicy: a list of models is asked for like anything else.
func TestModelsByPolicy(t *testing.T) {
	for path, want := range map[string]string{
		"/v1/models":           "models GET /v1/models  0",
		"/models/":             "models GET /v1/models  0",
		"/v1beta/models":       "models GET /v1beta/models  0",
		"/models/a%2Fgpt-5":    "models GET /v1/models/a/gpt-5 a/gpt-5 1",
		"/v1/models/gemini-no": "models GET /v1/models/gemini-no gemini-no 0",
	} {
		got := ""
		h := newGateway(t, func(o *Options) {
			o.Dialects = append(o.Dialects, gemini.New())
			o.Policy = policyFunc(func(f *Facts) (Decision, error) {
				got = fmt.Sprint(f.Op, " ", f.Method, " ", f.Path, " ", f.Model, " ", len(f.Candidates))
				return Decision{Deny: &Denial{Code: "no_list", Status: 403}}, nil
			})
		})
		x, answer := h.Open(&Head{Method: "GET", Path: path})
		if answer == nil {
			answer, _ = x.Decide(t.Context(), nil)
		}
		if answer.Status != 403 || x.record.Code != "no_list" || got != want {
			t.Errorf("%s: %d %s, shown %s", path, answer.Status, x.record.Code, got)
		}
		x.Close(false)
	}
}

// TestModelsFiltered: a list has what the policy lets the caller use. It is asked
// about each model where it looks at what tells them apart.
func TestModelsFiltered(t *testing.T) {
	eu := Decision{Require: []Condition{{"region", []string{"eu"}}}}
	none := Decision{Exclude: []Condition{{"provider", []string{"a", "b", "c"}}}}
	deny := Decision{Deny: &Denial{Code: "no", Status: 403}}
	by := func(d Decision, f func(*Facts) bool) func(*Facts) (Decision, error) {
		return func(facts *Facts) (Decision, error) {
			if f(facts) {
				return d, nil
			}
			return Decision{}, nil
		}
	}
	always := func(*Facts) bool { return true }
	for name, tt := range map[string]struct {
		path   string
		policy script
		want   string // names, or the code of the error
		asked  int
	}{
		"all":             {"/v1/models", script{}, "smart cheap a/both b/both", 1},
		"require":         {"/v1/models", script{decide: by(eu, always)}, "smart cheap b/both", 1},
		"nothing left":    {"/v1/models", script{decide: by(none, always)}, "", 1},
		"by candidates":   {"/v1/models", script{reads: []string{"candidates"}, decide: by(none, func(f *Facts) bool { return len(f.Candidates) == 2 })}, "cheap a/both b/both", 5},
		"by model":        {"/v1/models", script{reads: []string{"request.model"}, decide: by(deny, func(f *Facts) bool { return f.Model == "cheap" })}, "smart a/both b/both", 5},
		"denied as whole": {"/v1/models", script{reads: []string{"request.model"}, decide: by(deny, func(f *Facts) bool { return f.Model == "" })}, "no", 1},
		"broken": {"/v1/models", script{reads: []string{"candidates"}, decide: func(f *Facts) (Decision, error) {
			if f.Model == "cheap" {
				return Decision{}, errors.New("builtin")
			}
			return Decision{}, nil
		}}, llm.CodePolicyError, 3},
		"one":      {"/v1/models/smart", script{decide: by(eu, always)}, "smart", 1},
		"one less": {"/v1/models/a/both", script{decide: by(eu, always)}, llm.CodeModelNotFound, 1},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			h := newGateway(t, func(o *Options) {
				p := tt.policy
				decide := p.decide
				p.decide = func(f *Facts) (Decision, error) {
					asked++
					if f.Op != llm.OpModels || len(p.reads) == 0 && len(f.Candidates) > 0 {
						t.Errorf("asked about %+v", f)
					}
					if decide == nil {
						return Decision{}, nil
					}
					return decide(f)
				}
				o.Policy = p
			})
			_, answer, _ := ask(t, h, "GET", tt.path, "")
			var got struct {
				ID    string
				Data  []struct{ ID string }
				Error struct{ Code string }
			}
			if err := json.Unmarshal(answer.Body, &got); err != nil {
				t.Fatal(err)
			}
			names := []string{got.ID + got.Error.Code}
			for _, m := range got.Data {
				names = append(names, m.ID)
			}
			if have := strings.TrimSpace(strings.Join(names, " ")); have != tt.want || asked != tt.asked {
				t.Errorf("%q, want %q; asked %d times", have, tt.want, asked)
			}
		})
	}
}

func TestPlainPath(t *testing.T) {
	for path, want := range map[string]string{
		"/v1/files/":                           "/v1/files",
		"/files?key=x":                         "/v1/files",
		"/v1/fil%65s/a%2Db":                    "/v1/files/a-b",
		"/v1beta/models/m:generateContent":     "/v1beta/models/m:generateContent",
		"/model/anthropic.claude%3A0/converse": "/model/anthropic.claude:0/converse",
		"/v1/100%":                             "/v1/100%",
	} {
		if got := (&Head{Path: path}).plainPath(); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}
