package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/anthropic"
	"github.com/attache-gateway/attache/extproc/dialect/bedrock"
	"github.com/attache-gateway/attache/extproc/dialect/gemini"
	"github.com/attache-gateway/attache/extproc/dialect/openai"
	"github.com/attache-gateway/attache/extproc/dialect/responses"
	"github.com/attache-gateway/attache/extproc/llm"
)

// streamRequests ask for a stream, of a model of the provider that speaks the dialect.
var streamRequests = map[string]struct{ path, body string }{
	llm.OpenAI:    {chatPath, `{"model":"MODEL","stream":true,"messages":[{"role":"user","content":"hi"}]}`},
	llm.Responses: {"/v1/responses", `{"model":"MODEL","stream":true,"input":"hi"}`},
	llm.Anthropic: {"/v1/messages", `{"model":"MODEL","stream":true,"max_tokens":100000,"messages":[{"role":"user","content":"hi"}]}`},
	llm.Gemini:    {"/v1beta/models/MODEL:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`},
	llm.Bedrock:   {"/model/MODEL/converse-stream", `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`},
}

// A stream that a limit ends is whole, in the format of every client and from a
// provider of every format: its own decoder finds all text that went out, why the
// model stopped, what was used, and the end.
func TestCutInEveryDialect(t *testing.T) {
	dialects := []dialect.Dialect{openai.New(), responses.New(), anthropic.New(), gemini.New(), bedrock.New()}
	h, _ := bounded(t, func(o *Options) {
		o.Dialects, o.Models = dialects, nil
		o.Providers = nil
		for _, d := range dialects {
			o.Providers = append(o.Providers, Provider{Name: d.Name(), Dialect: d.Name(), Host: "h"})
		}
	}, limit(func(l *Limit) { l.Per, l.Tokens = "session", 700 }))
	for _, client := range dialects {
		for _, provider := range dialects {
			name := client.Name() + " from " + provider.Name()
			q := streamRequests[client.Name()]
			model := provider.Name() + "/m"
			path := strings.Replace(q.path, "MODEL", model, 1)
			if client.Name() == llm.Bedrock {
				path = strings.Replace(q.path, "MODEL", provider.Name()+"%2Fm", 1)
			}
			x, answer, _ := decide(t, h, path, strings.Replace(q.body, "MODEL", model, 1), "x-attache-session", name)
			if answer != nil {
				t.Errorf("%s: answered %s", name, answer.Body)
				continue
			}
			body, sent := cutOff(t, x, provider)
			text, events := decodeAll(t, client, name, body)
			if n := strings.Count(text, " hello world"); n != sent {
				t.Errorf("%s: %d pieces of text came, %d were sent", name, n, sent)
			}
			i := slices.IndexFunc(events, func(e llm.Event) bool { return e.Kind == llm.EventFinish && e.Reason == llm.FinishLength })
			j := slices.IndexFunc(events, func(e llm.Event) bool { return e.Kind == llm.EventEnd })
			if i < 0 || j < i {
				t.Errorf("%s: it ends at %d, and why stands at %d: %.600q", name, j, i, body[max(0, len(body)-600):])
			}
			x.Close(false)
			if r := &x.record; !r.Cut || r.Truncated || r.Usage.Total() < 690 || r.Usage.Total() > 710 {
				t.Errorf("%s: the record is %+v", name, r)
			}
		}
	}
}

// cutOff streams pieces of text until the gateway ends the response.
func cutOff(t *testing.T, x *Exchange, provider dialect.Dialect) (body []byte, sent int) {
	t.Helper()
	var all []byte
	enc := provider.NewEncoder(&llm.Request{Op: llm.OpChat, Stream: true, StreamUsage: true, Model: "m"})
	resp, err := x.Respond(1, 200, []llm.Header{{Name: "content-type", Value: enc.MediaType()}}, false)
	if err != nil || resp.Mode != ModeStream {
		t.Fatalf("mode %d, %v", resp.Mode, err)
	}
	events := []llm.Event{{Kind: llm.EventStart, ID: "1", Model: "m", Created: 1}}
	for range 2000 {
		events = append(events, llm.Event{Kind: llm.EventText, Text: " hello world"})
		chunk, err := enc.Encode(nil, events)
		if err != nil {
			t.Fatal(err)
		}
		events = nil
		out := x.Chunk(chunk, false)
		body = append(body, out.Body...)
		if all = append(all, chunk...); out.End {
			text, _ := decodeAll(t, provider, provider.Name(), all)
			return body, strings.Count(text, " hello world")
		}
	}
	t.Fatal("the stream was not ended")
	return nil, 0
}

func decodeAll(t *testing.T, client dialect.Dialect, name string, body []byte) (text string, all []llm.Event) {
	t.Helper()
	media := serverSent
	if client.Name() == llm.Bedrock {
		media = amazons
	}
	frames, err := client.NewDecoder(llm.OpChat, media, 1<<20).Decode(body, true) // which may end early
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	for _, f := range frames {
		for _, e := range f.Events {
			if e.Kind == llm.EventText {
				text += e.Text
			}
			all = append(all, e)
		}
	}
	return text, all
}

// Recorded streams that are ended anywhere are whole all the same: what went out
// begins as the provider's, no block stays open, and the client learns why it ended.
func TestCutCorpus(t *testing.T) {
	cuts := 0
	h := guardedBy(t, func(o *Options) { o.Limits, o.Bounds = newTill(), []Limit{tokensPer("key", 1e12)} })
	for _, from := range []string{llm.OpenAI, llm.Responses, llm.Anthropic, llm.Gemini} {
		for name, body := range recorded(t, from, true) {
			whole := readBack(t, from, true, string(body))
			for client := range formats {
				for _, tokens := range []int64{0, 5, 30, 100} {
					x := openBooked(t, h, client, from, tokens)
					out, ended := cutAt(t, x, from, body)
					if x.Close(false); !x.record.Cut {
						continue // it was over before
					}
					cuts++
					what := fmt.Sprintf("%s for %s, %d tokens", name, client, tokens)
					events := readBack(t, client, true, out)
					finish := slices.IndexFunc(events, func(e llm.Event) bool { return e.Kind == llm.EventFinish })
					if !ended || finish < 0 || events[finish].Reason != llm.FinishLength || !slices.ContainsFunc(events, func(e llm.Event) bool { return e.Kind == llm.EventEnd }) {
						t.Fatalf("%s: ended %v, finish %d: %.3000s", what, ended, finish, out)
					}
					if got, want := said(events, llm.EventText, 0, 0), said(whole, llm.EventText, 0, 0); !strings.HasPrefix(want, got) {
						t.Errorf("%s: the text is %.300q, not of %.300q", what, got, want)
					}
					numbered(t, client, out)
				}
			}
		}
	}
	if cuts < 100 {
		t.Errorf("only %d were ended", cuts)
	}
	t.Logf("%d were ended", cuts)
}

// openBooked asks for a stream that has so many tokens and gets no more.
func openBooked(t *testing.T, h *Holder, client, from string, tokens int64) *Exchange {
	t.Helper()
	f := formats[client]
	path, _, _ := strings.Cut(fmt.Sprintf(f.path, "by-"+from), "%!(EXTRA")
	request, _, _ := strings.Cut(fmt.Sprintf(f.body, "by-"+from, true), "%!(EXTRA")
	x, answer, _ := decide(t, h, path, request)
	if answer != nil {
		t.Fatalf("answered %s", answer.Body)
	}
	x.booked.whole, x.booked.output = false, tokens
	x.booked.dry = &refusedBy{Limit: x.booked.claims[0].Limit}
	return x
}

// cutAt sends a stream through, an event at a time.
func cutAt(t *testing.T, x *Exchange, from string, body []byte) (out string, ended bool) {
	t.Helper()
	if _, err := x.Respond(1, 200, []llm.Header{{Name: "content-type", Value: formats[from].streamMedia}}, false); err != nil {
		t.Fatal(err)
	}
	events := strings.SplitAfter(string(body), "\n\n")
	for i, e := range events {
		o := x.Chunk([]byte(e), i == len(events)-1)
		if out += string(o.Body); o.End {
			return out, true
		}
	}
	return out, false
}
