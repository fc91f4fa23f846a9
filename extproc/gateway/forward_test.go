package gateway

import (
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect/gemini"
	"github.com/attache-gateway/attache/extproc/dialect/hosting"
	"github.com/attache-gateway/attache/extproc/dialect/responses"
	"github.com/attache-gateway/attache/extproc/llm"
)

// forwarding is a gateway whose providers take all other paths: a and c speak
// OpenAI's format, b Anthropic's, r the Responses API, g Gemini's; z and z1
// are Azure; n, on Vertex, takes none.
func forwarding(t testing.TB, change func(*Options)) *Holder {
	return newGateway(t, func(o *Options) {
		o.Dialects = append(o.Dialects, responses.New(), gemini.New())
		o.Providers = append([]Provider{{Name: "n", Dialect: llm.Gemini, Host: "n", Hosting: hosting.Hosting{Name: llm.HostVertex, Project: "p", Region: "global"}}}, o.Providers...)
		o.Providers = append(o.Providers,
			Provider{Name: "r", Dialect: llm.Responses, Host: "r", BasePath: "/v1"},
			Provider{Name: "g", Dialect: llm.Gemini, Host: "g"},
			Provider{Name: "z", Dialect: llm.OpenAI, Host: "z", Hosting: hosting.Hosting{Name: llm.HostAzure, APIVersion: "2024-10-21"}},
			Provider{Name: "z1", Dialect: llm.OpenAI, Host: "z1", Hosting: hosting.Hosting{Name: llm.HostAzure}})
		if change != nil {
			change(o)
		}
	})
}

// ask begins an exchange.
func ask(t testing.TB, h *Holder, method, path, body string, headers ...string) (*Exchange, *llm.Answer, *Forward) {
	t.Helper()
	head := &Head{Method: method, Path: path}
	for i := 0; i < len(headers); i += 2 {
		head.Headers = append(head.Headers, llm.Header{Name: headers[i], Value: headers[i+1]})
	}
	head.Unread = strings.HasPrefix(head.Get("content-type"), "multipart/") // as Envoy does
	x, answer := h.Open(head)
	if answer != nil {
		return x, answer, nil
	}
	if head.Unread {
		body = ""
	}
	answer, f := x.Decide(t.Context(), []byte(body))
	return x, answer, f
}

const multipart = "multipart/form-data; boundary=x"

func TestForward(t *testing.T) {
	for _, tt := range []struct {
		method, path, body string
		headers            []string
		want               string // clusters, path and body that the provider gets, or status and code
	}{
		// By the model, as for a chat.
		{"POST", "/v1/images/generations", `{"model":"a/gpt-image-1","prompt":"x"}`, nil, `a /v1/images/generations {"model":"gpt-image-1","prompt":"x"}`},
		{"POST", "/images/generations", `{"prompt":"x","model":"c/i"}`, nil, `c /api/images/generations {"prompt":"x","model":"i"}`},
		{"POST", "/v1/completions", `{"model":"gpt-3.5-turbo-instruct","prompt":"x","stream":true}`, nil, `a /v1/completions -`},
		{"POST", "/v1/rerank", `{"model":"c/org/rerank","query":"q","documents":["a"]}`, nil, `c /api/rerank {"model":"org/rerank","query":"q","documents":["a"]}`},
		{"POST", "/v1/images/generations", `{"model":"a/m,c/n"}`, nil, `a.retry c.retry`},
		{"POST", "/v1/images/generations", `{"model":"a/m,b/n"}`, nil, `a /v1/images/generations {"model":"m"}`},
		{"POST", "/v1/images/generations", `{"model":"b/m"}`, nil, `400 unsupported_feature`},
		{"POST", "/v1/images/generations", `{"model":"n/m"}`, nil, `400 unsupported_feature`},
		{"POST", "/v1/images/generations", `{"model":"z/i m","n":1}`, nil, `z /openai/deployments/i%20m/images/generations?api-version=2024-10-21 {"model":"i m","n":1}`},
		{"GET", "/v1/files?limit=2", "", []string{"x-attache-provider", "z"}, `z /openai/files?limit=2&api-version=2024-10-21 -`},
		{"GET", "/v1/files", "", []string{"x-attache-provider", "z1"}, `z1 /openai/v1/files -`},
		{"POST", "/v1/images/generations", `{"model":"who"}`, nil, `404 model_not_found`},
		// Without one, by the path.
		{"POST", "/v1/moderations/", `{"input":"x"}`, nil, `a /v1/moderations -`},
		{"POST", "/v1/moderations", `{"input":"x"}`, []string{"x-attache-provider", "c"}, `c /api/moderations -`},
		{"POST", "/v1/moderations", `{"input":"x"}`, []string{"x-attache-provider", "b"}, `400 invalid_request`},
		{"POST", "/v1/moderations", `{"input":"x"}`, []string{"x-attache-provider", "n"}, `400 invalid_request`},
		{"POST", "/v1/audio/transcriptions", "--x", []string{"content-type", multipart}, `a /v1/audio/transcriptions -`},
		{"GET", "/v1/files?limit=2&key=s%20&after=f&%6bey=s&API_KEY=s", "", nil, `a /v1/files?limit=2&after=f -`},
		{"GET", "/v1/files/file-1/content?key=s", "", []string{"x-attache-provider", "r"}, `r /v1/files/file-1/content -`},
		{"DELETE", "/v1/files/file-1", "", nil, `a /v1/files/file-1 -`},
		{"GET", "/v1/batches/b%20c", "", nil, `a /v1/batches/b%20c -`},
		{"POST", "/v1/batches/b/cancel", "", nil, `a /v1/batches/b/cancel -`},
		{"GET", "/v1/messages/batches?limit=5", "", nil, `b /v1/messages/batches?limit=5 -`},
		{"POST", "/v1/messages/batches?beta=true", `{"requests":[]}`, nil, `b /v1/messages/batches?beta=true -`},
		{"DELETE", "/v1/messages/batches/m", "", []string{"anthropic-version", "2023-06-01"}, `b /v1/messages/batches/m -`},
		{"GET", "/v1/files", "", []string{"anthropic-version", "2023-06-01"}, `b /v1/files -`},
		{"GET", "/v1beta/cachedContents", "", nil, `g /v1beta/cachedContents -`},
		{"GET", "/v1beta/files/f", "", nil, `g /v1beta/files/f -`},
		// The Responses API beside POST /responses.
		{"POST", "/v1/responses/input_tokens", `{"model":"r/gpt-5","input":"x"}`, nil, `r /v1/responses/input_tokens {"model":"gpt-5","input":"x"}`},
		{"POST", "/v1/responses/compact", `{"model":"r/gpt-5","input":"x"}`, nil, `r /v1/responses/compact {"model":"gpt-5","input":"x"}`},
		{"POST", "/v1/responses/input_tokens", `{"model":"a/gpt-5","input":"x"}`, nil, `200 `},
		{"POST", "/v1/responses/input_tokens", `{"model":"a/gpt-5","previous_response_id":"resp_1"}`, nil, `400 unsupported_feature`},
		{"POST", "/v1/responses/input_tokens", `{"model":"r/gpt-5","previous_response_id":"resp_1"}`, nil, `r /v1/responses/input_tokens {"model":"gpt-5","previous_response_id":"resp_1"}`},
		{"POST", "/v1/responses/compact", `{"model":"a/gpt-5","input":"x"}`, nil, `400 unsupported_feature`},
		{"GET", "/v1/responses/resp_1?include%5B%5D=x&stream=true", "", nil, `r /v1/responses/resp_1?include%5B%5D=x&stream=true -`},
		{"DELETE", "/v1/responses/resp_1", "", nil, `r /v1/responses/resp_1 -`},
		{"POST", "/v1/responses/resp_1/cancel", "", nil, `r /v1/responses/resp_1/cancel -`},
		{"GET", "/responses/resp_1/input_items", "", nil, `r /v1/responses/resp_1/input_items -`},
		{"POST", "/v1/conversations", `{}`, nil, `r /v1/conversations -`},
		// What is not passed on.
		{"GET", "/v1/organization/admin_api_keys", "", nil, `404 unknown_path`},
		{"GET", "/v1/files/../organization/admin_api_keys", "", nil, `404 unknown_path`},
		{"GET", "/v1/files/..%2Forganization", "", nil, `404 unknown_path`},
		{"GET", "/v1/files/%2e%2e/organization", "", nil, `404 unknown_path`},
		{"GET", "/v1/files/%252e%252e/organization", "", nil, `404 unknown_path`},
		{"GET", "/v1/files//organization", "", nil, `404 unknown_path`},
		{"GET", `/v1/files/..\organization`, "", nil, `404 unknown_path`},
		{"GET", "/v1/files/a%3fb", "", nil, `404 unknown_path`},
		{"GET", "/v1/filesystem", "", nil, `404 unknown_path`},
		{"GET", "/v1", "", nil, `404 unknown_path`},
		{"GET", "/", "", nil, `404 unknown_path`},
		{"GET", "", "", nil, `404 unknown_path`},
		{"POST", "/v1/realtime/client_secrets", `{}`, nil, `400 unsupported_feature`},
		{"GET", "/v1/realtime?model=gpt-realtime", "", nil, `400 unsupported_feature`},
		{"PATCH", "/v1/files/f", "", nil, `405 unknown_path`},
		{"OPTIONS", "/v1/files", "", nil, `405 unknown_path`},
		{"HEAD", "/v1/files", "", nil, `405 unknown_path`},
		{"CONNECT", "", "", nil, `404 unknown_path`},
		{"POST", "/v1/images/generations", `{"model":"a/m","model":"b"}`, nil, `400 invalid_json`},
		{"POST", "/v1/images/generations", `[]`, nil, `400 invalid_request`},
		{"POST", "/v1/images/generations", `{"model":"a/m"} x`, nil, `400 invalid_json`},
	} {
		x, answer, f := ask(t, forwarding(t, nil), tt.method, tt.path, tt.body, tt.headers...)
		got := ""
		switch {
		case answer != nil:
			got = itoa(answer.Status) + " " + x.record.Code
		case f.First == nil:
			got = strings.Join(f.Clusters, " ")
		default:
			body := "-"
			if f.First.Body != nil {
				body = string(f.First.Body)
			}
			got = strings.Join(f.Clusters, " ") + " " + setTo(f.First, ":path") + " " + body
			if x.front.op == llm.OpForward && setTo(f.First, "content-type") != "" || slices.Contains(f.First.Remove, "content-type") {
				t.Errorf("%s %s: the content type changes", tt.method, tt.path)
			}
		}
		if got != tt.want {
			t.Errorf("%s %s %s: got %s, want %s", tt.method, tt.path, tt.body, got, tt.want)
		}
		if strings.Contains(x.record.Path, "key") && strings.Contains(x.record.Path, "?") {
			t.Errorf("%s: the record keeps the query", tt.path)
		}
	}
}

func setTo(up *Upstream, name string) string { return value(up.Set, name) }

func TestForwardProvider(t *testing.T) {
	h := forwarding(t, func(o *Options) { o.Forward.Provider = "c" })
	for path, want := range map[string]string{"/v1/files": "c", "/v1/messages/batches": "b"} {
		if _, answer, f := ask(t, h, "GET", path, ""); answer != nil || f.Clusters[0] != want {
			t.Errorf("%s: got %+v, %+v", path, answer, f)
		}
	}
}

// What is passed on unread has one attempt, whatever the configuration says, and
// may be longer than what is read.
func TestForwardUnread(t *testing.T) {
	h := forwarding(t, func(o *Options) { o.Defaults.Retries, o.MaxRequest = 2, 10 })
	_, answer, f := ask(t, h, "POST", "/v1/files", "--x", "content-type", multipart, "content-length", "999")
	if answer != nil || len(f.Clusters) != 1 || f.First == nil || f.First.Body != nil {
		t.Errorf("an upload: got %+v, %+v", answer, f)
	}
	if _, answer, _ := ask(t, h, "POST", chatPath, "--x", "content-type", multipart); answer == nil || answer.Status != 415 {
		t.Errorf("a chat in a form: got %+v", answer)
	}
	if _, answer, f := ask(t, h, "POST", "/v1/files", "--x", "content-type", multipart, "content-encoding", "zstd"); answer != nil || slices.Contains(f.First.Remove, "content-encoding") {
		t.Errorf("a compressed upload: got %+v, %+v", answer, f)
	}
	if _, answer, f := ask(t, h, "GET", "/v1/files", ""); answer != nil || len(f.Clusters) != 1 {
		t.Errorf("a request without a body: got %+v, %+v", answer, f)
	}
	if _, answer, f := ask(t, h, "POST", "/v1/moderations", `{"i":1}`); answer != nil || len(f.Clusters) != 3 {
		t.Errorf("JSON: got %+v, %+v", answer, f)
	}
	if _, answer, _ := ask(t, h, "POST", "/v1/moderations", `{"input":"too long"}`); answer == nil || answer.Status != 413 {
		t.Errorf("long JSON: got %+v", answer)
	}
}

// A compressed request is refused by name, before anybody takes it for broken JSON.
func TestCompressedRequest(t *testing.T) {
	for _, path := range []string{chatPath, "/v1/messages", "/v1beta/models/m:generateContent", "/v1/moderations"} {
		_, answer, _ := ask(t, forwarding(t, nil), "POST", path, "\x1f\x8b", "content-encoding", "GZIP")
		if answer == nil || answer.Status != 415 || !strings.Contains(string(answer.Body), "content-encoding") {
			t.Errorf("%s: got %+v", path, answer)
		}
	}
	if _, answer, _ := ask(t, forwarding(t, nil), "POST", chatPath, chat("a/m", ""), "content-encoding", "identity"); answer != nil {
		t.Errorf("identity: got %s", answer.Body)
	}
}

// An upload that its provider's credential cannot go with is refused before
// anything is sent. The response to another one names the provider and no model.
func TestForwardUnsigned(t *testing.T) {
	signing := &proof{header: "x-a"}
	h := forwarding(t, func(o *Options) {
		o.Providers[slices.IndexFunc(o.Providers, func(p Provider) bool { return p.Name == "a" })].Credential = signing
	})
	x, _, _ := ask(t, h, "POST", "/v1/files", "--x", "content-type", multipart)
	if !signing.signed.Unread {
		t.Error("the credential is not told that the body is unread")
	}
	if _, err := x.Respond(1, 200, nil, true); err != nil {
		t.Fatal(err)
	}
	if hs := x.ownHeaders(); !sets(hs, "x-attache-provider") || sets(hs, "x-attache-model") {
		t.Errorf("headers %v", hs)
	}
	signing.refuse = llm.Unsupported("", "no uploads")
	if x, answer, _ := ask(t, h, "POST", "/v1/files", "--x", "content-type", multipart); answer == nil || answer.Status != 400 || x.record.Code != llm.CodeUnsupported {
		t.Errorf("refused by the credential: got %+v", answer)
	}
	if ask(t, h, "GET", "/v1/files", ""); signing.signed.Unread {
		t.Error("a request without a body is unread")
	}
}

// A client's headers for its API go with it, its key and the gateway's own do not.
func TestForwardHeaders(t *testing.T) {
	h := forwarding(t, nil)
	_, _, f := ask(t, h, "GET", "/v1/files", "", "anthropic-version", "2023-06-01", "anthropic-beta", "files-api-2025-04-14",
		"x-api-key", "client", "x-attache-provider", "b", "cookie", "c", "accept", "*/*")
	if setTo(f.First, "anthropic-beta") != "files-api-2025-04-14" || setTo(f.First, "anthropic-version") != "2023-06-01" {
		t.Errorf("set %v", f.First.Set)
	}
	for _, name := range []string{"x-api-key", "x-attache-provider", "cookie", "authorization"} {
		if !slices.Contains(f.First.Remove, name) {
			t.Errorf("%s stays", name)
		}
	}
	if slices.Contains(f.First.Remove, "accept") {
		t.Error("accept is removed")
	}
}

func TestForwardKeysAndPolicy(t *testing.T) {
	var seen *Facts
	h := forwarding(t, func(o *Options) {
		o.Auth = keyFunc(func(Secret) (Caller, error) { return Caller{Models: []string{"gpt-*"}}, nil })
		o.Policy = policyFunc(func(f *Facts) (Decision, error) { seen = f; return Decision{}, nil })
	})
	if _, answer, _ := ask(t, h, "POST", "/v1/images/generations", `{"model":"gpt-image-1","user":"u"}`); answer != nil {
		t.Errorf("a model that the key may use: %s", answer.Body)
	}
	if seen.Op != llm.OpForward || seen.Model != "gpt-image-1" || seen.Path != "/v1/images/generations" || len(seen.Candidates) != 1 {
		t.Errorf("the policy saw %+v", seen)
	}
	if _, answer, _ := ask(t, h, "POST", "/v1/images/generations", `{"model":"a/dall-e-3"}`); answer == nil || answer.Status != 403 {
		t.Errorf("another model: %+v", answer)
	}
	// Who may use some models only could ask for another one in a body that nobody reads.
	if _, answer, _ := ask(t, h, "POST", "/v1/images/edits", "--x", "content-type", multipart); answer == nil || answer.Status != 403 {
		t.Errorf("an unread body: %+v", answer)
	}
	if _, answer, _ := ask(t, h, "POST", chatPath, chat("gpt-4", "")); answer != nil || seen.Op != llm.OpChat {
		t.Errorf("a chat: %+v", answer)
	}
}

// A limit of tokens holds for the old completions as well, and is not added to
// bodies that have no such member.
func TestForwardModify(t *testing.T) {
	most := int64(50)
	h := forwarding(t, func(o *Options) {
		o.Policy = policyFunc(func(*Facts) (Decision, error) {
			return Decision{Modify: []Modification{{Path: "max_tokens", Max: &most}}}, nil
		})
	})
	for body, want := range map[string]string{
		`{"model":"a/m","max_tokens":900}`: `{"model":"m","max_tokens":50}`,
		`{"model":"a/m","max_tokens":9}`:   `{"model":"m","max_tokens":9}`,
		`{"model":"a/m","prompt":"x"}`:     `{"model":"m","prompt":"x"}`,
	} {
		_, answer, f := ask(t, h, "POST", "/v1/completions", body)
		if answer != nil || string(f.First.Body) != want {
			t.Errorf("%s: got %+v, %s", body, answer, f.First.Body)
		}
	}
}

func TestForwardGuards(t *testing.T) {
	var seen []string
	guard := guardFunc(func(text *Text) (v Verdict, err error) {
		seen = nil
		for i, s := range text.Segments {
			seen = append(seen, s.Text)
			if at := strings.Index(s.Text, "4111"); at >= 0 {
				v.Action = ActionRedact
				v.Findings = append(v.Findings, Finding{Segment: i, Start: at, End: at + 4, Label: "card"})
			}
		}
		return v, nil
	})
	with := func(unguarded bool) *Holder {
		return forwarding(t, func(o *Options) {
			o.Guards, o.Forward.Unguarded = []InputGuard{{Guard: guard}}, unguarded
		})
	}
	_, _, f := ask(t, with(false), "POST", "/v1/images/generations", `{"model":"a/m","prompt":"my 4111 \"x\"","n":[{"deep":"4111"},1]}`)
	if got, want := string(f.First.Body), `{"model":"m","prompt":"my [CARD] \"x\"","n":[{"deep":"[CARD]"},1]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if strings.Join(seen, "|") != `my 4111 "x"|4111` {
		t.Errorf("the guard saw %q", seen)
	}
	if _, answer, _ := ask(t, with(false), "POST", "/v1/files", "--x", "content-type", multipart); answer == nil || answer.Status != 400 {
		t.Errorf("a body that no guard can read passed: %+v", answer)
	}
	if _, answer, _ := ask(t, with(true), "POST", "/v1/files", "--x", "content-type", multipart); answer != nil {
		t.Errorf("although the configuration allows it: %s", answer.Body)
	}
	if _, answer, _ := ask(t, with(false), "GET", "/v1/files", ""); answer != nil {
		t.Errorf("no body: %s", answer.Body)
	}
}

// A response is passed on as it is. Only what concerns the gateway's own key is
// not for the client.
func TestForwardResponse(t *testing.T) {
	for status, want := range map[int]Mode{200: ModePass, 204: ModePass, 302: ModePass, 400: ModePass, 404: ModePass, 429: ModePass, 500: ModePass, 401: ModeWhole, 403: ModeWhole} {
		x, _, _ := ask(t, forwarding(t, nil), "GET", "/v1/files/f/content", "")
		r, err := x.Respond(1, status, []llm.Header{{Name: "content-type", Value: "application/octet-stream"}, {Name: "x-ratelimit-limit-requests", Value: "1"}}, false)
		if err != nil || r.Mode != want {
			t.Errorf("%d: got %+v, %v", status, r, err)
			continue
		}
		if want == ModePass && (slices.Contains(r.Head.Remove, "x-ratelimit-limit-requests") || value(r.Head.Set, "content-type") != "" || r.Head.Status != 0) {
			t.Errorf("%d: the head changes: %+v", status, r.Head)
		}
		x.Close(true)
		if x.record.Status != status || x.record.Truncated || x.record.Cancelled || x.record.Usage.Total() != 0 || !x.record.Unpriced || x.record.Target != "a" {
			t.Errorf("%d: recorded %+v", status, x.record)
		}
	}
}

// Usage is booked where a response reports it, and its bytes stay as they are.
func TestForwardUsage(t *testing.T) {
	long := `{"data":"` + strings.Repeat("x", maxKept) + `","usage":{"input_tokens":1000}}`
	for _, tt := range []struct {
		kind, body    string
		input, output int64
	}{
		{"application/json", `{"choices":[{"usage":1}],"usage":{"prompt_tokens":1000,"completion_tokens":500,"prompt_tokens_details":{"cached_tokens":7}}}`, 1000, 500},
		{"application/json; charset=utf-8", `{"usage":{"input_tokens":10,"output_tokens":5,"input_tokens_details":{"text_tokens":3}},"data":[]}`, 10, 5},
		{"application/json", `{"results":[],"usage":{"total_tokens":12}}`, 12, 0},
		{"application/json", `{"usage":{"type":"duration","seconds":3}}`, 0, 0},
		{"application/json", `{"usage":null}`, 0, 0},
		{"application/json", `{"usage":{"prompt_tokens":"many"}`, 0, 0},
		{"application/json", `not json`, 0, 0},
		{"application/json", long, 0, 0},
		{"text/event-stream", "data: {\"usage\":{\"prompt_tokens\":1}}\n\ndata: {\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\r\n\r\ndata: [DONE]\n\n", 3, 4},
	} {
		x, _, _ := ask(t, forwarding(t, nil), "POST", "/v1/completions", `{"model":"gpt-3.5-turbo-instruct"}`)
		r, err := x.Respond(1, 200, []llm.Header{{Name: "content-type", Value: tt.kind}}, false)
		if err != nil || r.Mode != ModeStream {
			t.Fatalf("got %+v, %v", r, err)
		}
		var got []byte
		cut := len(tt.body) / 3
		for i, p := range []string{tt.body[:cut], tt.body[cut:], ""} {
			got = append(got, x.Chunk([]byte(p), i == 2).Body...)
		}
		x.Close(false)
		if string(got) != tt.body {
			t.Errorf("%.60s: became %.60s", tt.body, got)
		}
		if r := x.record; r.Usage.Input != tt.input || r.Usage.Output != tt.output || r.Unpriced != (tt.input == 0) || r.Truncated || r.Counted {
			t.Errorf("%.60s: recorded %+v", tt.body, r)
		}
	}
}

// A path that is there says how it is called (RFC 9110, section 15.5.6).
func TestAllow(t *testing.T) {
	for path, want := range map[string]string{"/v1/chat/completions": "POST", "/v1/models": "GET", "/v1/files": "GET, POST, DELETE", "/v1beta/models/m:generateContent": "POST"} {
		_, answer, _ := ask(t, forwarding(t, nil), "OPTIONS", path, "")
		if answer == nil || answer.Status != 405 || value(answer.Header, "allow") != want {
			t.Errorf("%s: got %+v", path, answer)
		}
	}
}
