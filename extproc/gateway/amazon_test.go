package gateway

import (
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect/bedrock"
	"github.com/attache-gateway/attache/extproc/dialect/eventstream"
	"github.com/attache-gateway/attache/extproc/llm"
)

func TestAmazonFront(t *testing.T) {
	for _, c := range []struct {
		path  string
		asked asked // without a model: no path of Amazon's that is served
	}{
		{"/model/us.anthropic.claude-sonnet-4-6/converse", asked{model: "us.anthropic.claude-sonnet-4-6"}},
		{"/model/amazon.nova-lite-v1%3A0/converse-stream", asked{model: "amazon.nova-lite-v1:0", stream: true}},
		{"/model/amazon.nova-lite-v1:0/converse/", asked{model: "amazon.nova-lite-v1:0"}},
		{"/model/openai/gpt-4o/converse", asked{model: "openai/gpt-4o"}},
		{"/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Feu.x.y/converse?a=b",
			asked{model: "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.x.y"}},
		{"/model/m/invoke", asked{}},
		{"/model//converse", asked{}},
		{"/model/converse", asked{}},
	} {
		f, err := frontOf(&Head{Method: "POST", Path: c.path})
		switch {
		case f.dialect != llm.Bedrock:
			t.Errorf("%s: the dialect is %s", c.path, f.dialect)
		case c.asked.model == "":
			if err == nil || err.Status != 404 {
				t.Errorf("%s: got %v", c.path, err)
			}
		case err != nil || f.op != llm.OpChat || f.asked != c.asked:
			t.Errorf("%s: got %+v, %v", c.path, f, err)
		}
	}
	if _, err := frontOf(&Head{Method: "GET", Path: "/model/m/converse"}); err == nil || err.Status != 405 {
		t.Errorf("GET: got %v", err)
	}
}

// amazonStream is an event stream of lines: a name and a payload each.
func amazonStream(lines ...string) (out []byte) {
	for _, line := range lines {
		name, payload, _ := strings.Cut(line, " ")
		start := len(out)
		out = eventstream.Begin(out, eventstream.Field{Name: ":event-type", Value: name}, eventstream.Field{Name: ":message-type", Value: "event"})
		out = eventstream.End(append(out, payload...), start)
	}
	return out
}

// Streams of Amazon's framing are streams: passed on as they come, translated,
// and ended with an exception in a frame of its own when the provider's last
// frame is cut.
func TestAmazonStreams(t *testing.T) {
	whole := amazonStream(`messageStart {"role":"assistant"}`, `contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"Gr\u00fc\u00df dich"}}`,
		`contentBlockStop {"contentBlockIndex":0}`, `messageStop {"stopReason":"end_turn"}`, `metadata {"usage":{"inputTokens":3,"outputTokens":4}}`)
	half := whole[:len(whole)*2/3]
	for _, c := range []struct {
		name, path, body, media string
		sent                    []byte
		truncated               bool
		want                    []string // of the client's body
	}{
		{"passed on", "/model/x%2Fm/converse-stream", `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`, eventstream.MediaType, whole, false, []string{string(whole)}},
		{"cut", "/model/x%2Fm/converse-stream", `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`, eventstream.MediaType, half, true,
			[]string{"messageStart", "exception", "internalServerException", "ended before it was complete"}},
		{"translated", "/v1/messages", `{"model":"x/m","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`, eventstream.MediaType, whole, false,
			[]string{"Grüß dich", "event: message_stop"}},
		{"from elsewhere", "/model/a%2Fm/converse-stream", `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`, serverSent, []byte(openaiStream), false,
			[]string{"messageStart", "Grüß", "metadata"}},
	} {
		var r *Record
		h := newGateway(t, func(o *Options) {
			o.Sinks = []Sink{sinkFunc(func(got *Record) { r = got })}
			o.Dialects = append(o.Dialects, bedrock.New())
			o.Providers = append(o.Providers, Provider{Name: "x", Dialect: llm.Bedrock, Host: "x"})
		})
		x, answer, f := decide(t, h, c.path, c.body)
		if answer != nil {
			t.Fatalf("%s: answered %s", c.name, answer.Body)
		}
		path, want := "", "/model/m/converse-stream"
		for _, header := range f.First.Set {
			if header.Name == ":path" {
				path = header.Value
			}
		}
		if c.media == serverSent {
			want = "/v1/chat/completions"
		}
		if path != want {
			t.Errorf("%s: the path is %s", c.name, path)
		}
		resp, err := x.Respond(1, 200, []llm.Header{{Name: "content-type", Value: c.media}}, false)
		if err != nil || resp.Mode != ModeStream {
			t.Fatalf("%s: mode %v, %v", c.name, resp.Mode, err)
		}
		var body []byte
		for i := range c.sent {
			body = append(body, x.Chunk(c.sent[i:i+1], false).Body...)
		}
		body = append(body, x.Chunk(nil, true).Body...)
		x.Close(false)
		if r.Truncated != c.truncated || !c.truncated && r.Usage != (llm.Usage{Input: 3, Output: 4}) {
			t.Errorf("%s: record %+v", c.name, r)
		}
		for _, text := range c.want {
			if !strings.Contains(string(body), text) {
				t.Errorf("%s: no %q in %q", c.name, text, body)
			}
		}
		if strings.HasPrefix(c.path, amazonRoot) {
			s := eventstream.New(1 << 20)
			if err := s.Split(body, func(*eventstream.Message) error { return nil }); err != nil || s.Held() > 0 {
				t.Errorf("%s: not whole messages: %v", c.name, err)
			}
		}
	}
}
