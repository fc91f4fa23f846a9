package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/anthropic"
	"github.com/attache-gateway/attache/extproc/dialect/bedrock"
	"github.com/attache-gateway/attache/extproc/dialect/gemini"
	"github.com/attache-gateway/attache/extproc/dialect/openai"
	"github.com/attache-gateway/attache/extproc/dialect/responses"
	"github.com/attache-gateway/attache/extproc/llm"
	"github.com/attache-gateway/attache/extproc/provider"
)

// formats are all that clients speak. Each is that of a provider, too, which has
// its name and a model under the same.
var formats = map[string]struct {
	dialect.Dialect
	path, body  string // of a stream
	unary       string // path of another; empty: the same
	streamMedia string
}{
	llm.OpenAI:    {openai.New(), chatPath, `{"model":"%s","stream":%t,"messages":[{"role":"user","content":"hi"}]}`, "", serverSent},
	llm.Responses: {responses.New(), "/v1/responses", `{"model":"%s","stream":%t,"input":"hi"}`, "", serverSent},
	llm.Anthropic: {anthropic.New(), "/v1/messages", `{"model":"%s","stream":%t,"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`, "", serverSent},
	llm.Gemini:    {gemini.New(), "/v1beta/models/%s:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`, "/v1beta/models/%s:generateContent", serverSent},
	llm.Bedrock:   {bedrock.New(), "/model/%s/converse-stream", `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`, "/model/%s/converse", amazons},
}

// guardedBy makes a gateway with a provider of each format and the guards.
func guardedBy(t testing.TB, change func(*Options), guards ...OutputGuard) *Holder {
	t.Helper()
	return newGateway(t, func(o *Options) {
		o.Dialects, o.Providers, o.Models, o.OutputGuards = nil, nil, nil, guards
		for name, f := range formats {
			o.Dialects = append(o.Dialects, f.Dialect)
			o.Providers = append(o.Providers, Provider{Name: name, Dialect: name, Host: "h", Price: func(string) (provider.Price, bool) { return provider.Price{}, false }})
			o.Models = append(o.Models, Model{Name: "by-" + name, Targets: []string{name + "/m"}})
		}
		if change != nil {
			change(o)
		}
	})
}

// responded asks a provider in a client's format and sends its response through,
// in chunks of at most so many bytes; 0: in one.
func responded(t testing.TB, h *Holder, client, from string, stream bool, body []byte, most int) (mode Mode, status int, out string, r *Record) {
	t.Helper()
	f := formats[client]
	path, request := f.path, f.body
	if !stream && f.unary != "" {
		path = f.unary
	}
	path, _, _ = strings.Cut(fmt.Sprintf(path, "by-"+from), "%!(EXTRA")
	request, _, _ = strings.Cut(fmt.Sprintf(request, "by-"+from, stream), "%!(EXTRA")
	x, answer, _ := decide(t, h, path, request)
	if answer != nil {
		t.Fatalf("%s to %s: answered %d %s", client, from, answer.Status, answer.Body)
	}
	media := "application/json"
	if stream {
		media = formats[from].streamMedia
	}
	resp, err := x.Respond(1, 200, []llm.Header{{Name: "content-type", Value: media}}, false)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Mode == ModePass {
		x.Close(false)
		return resp.Mode, 200, string(body), &x.record
	}
	rng := rand.New(rand.NewPCG(uint64(most), uint64(len(body))))
	for rest := body; ; {
		n := len(rest)
		if most > 0 && resp.Mode == ModeStream {
			n = min(1+rng.IntN(most), n)
		}
		o := x.Chunk(rest[:n], n == len(rest))
		out += string(o.Body)
		if o.Head != nil {
			status = o.Head.Status
		}
		if rest = rest[n:]; o.End {
			break
		}
	}
	x.Close(false)
	return resp.Mode, status, out, &x.record
}

// written is a response in a provider's format, of reasoning, text and a call.
func written(t testing.TB, format string, stream bool, text, query string) []byte {
	t.Helper()
	r := rand.New(rand.NewPCG(1, uint64(len(text))))
	events := []llm.Event{{Kind: llm.EventStart, ID: "id1", Model: "m", Created: 1700000000},
		{Kind: llm.EventReasoning, Text: "Let me see."}, {Kind: llm.EventSignature, Text: "c2lnbmVk"}, {Kind: llm.EventBlockEnd}}
	for _, p := range cut(r, text, 9) {
		events = append(events, llm.Event{Kind: llm.EventText, Text: p})
	}
	events = append(events, llm.Event{Kind: llm.EventBlockEnd}, llm.Event{Kind: llm.EventToolStart, ID: "call_1", Name: "look_up"})
	arguments, err := json.Marshal(map[string]string{"q": query})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range cut(r, string(arguments), 9) {
		events = append(events, llm.Event{Kind: llm.EventToolArgs, Text: p})
	}
	events = append(events, llm.Event{Kind: llm.EventBlockEnd}, llm.Event{Kind: llm.EventUsage, Usage: llm.Usage{Input: 3, Output: 40}},
		llm.Event{Kind: llm.EventFinish, Reason: llm.FinishToolCalls}, llm.Event{Kind: llm.EventEnd})
	var out []byte
	enc := formats[format].NewEncoder(&llm.Request{Op: llm.OpChat, Dialect: format, Model: "m", Stream: stream, StreamUsage: true})
	for i := range events { // one by one, so that each is a frame
		if out, err = enc.Encode(out, events[i:i+1]); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// readBack reads what a client got.
func readBack(t testing.TB, format string, stream bool, body string) []llm.Event {
	t.Helper()
	media := "application/json"
	if stream {
		media = formats[format].streamMedia
	}
	frames, err := formats[format].NewDecoder(llm.OpChat, media, 1<<20).Decode([]byte(body), true)
	if err != nil {
		t.Fatalf("%s: %v\n%s", format, err, body)
	}
	var events []llm.Event
	for _, f := range frames {
		for i := range f.Events {
			events = append(events, cloneEvent(&f.Events[i]))
		}
	}
	return events
}

const secrets = "the key is sk-12345678, the card 4111 1111 1111 1111. " +
	"All that follows is there to be read, since nothing of it is anybody's secret, and it is longer than what is held back."

// TestOutputGuards: in every format, translated or not, streamed or whole, and
// however it is cut, the client reads what a redaction of the whole gives, with
// the usage, the finish reason and the call as they were.
func TestOutputGuards(t *testing.T) {
	for from := range formats {
		for client := range formats {
			for _, stream := range []bool{true, false} {
				for _, guard := range []OutputGuard{{Guard: secret}, {Guard: secret, Full: true}} {
					h := guardedBy(t, nil, guard)
					body := written(t, from, stream, "First words. "+secrets, secrets)
					for _, most := range []int{0, 1, 30, 200} {
						_, _, out, r := responded(t, h, client, from, stream, body, most)
						if strings.Contains(out, "12345678") || strings.Contains(out, "1111 1111") {
							t.Fatalf("%s from %s, stream %t: it is out: %s", client, from, stream, out)
						}
						events := readBack(t, client, stream, out)
						text, arguments := said(events, llm.EventText, 0, 0), said(events, llm.EventToolArgs, 0, 0)
						want := redactedWhole(secrets, secret)
						if text != "First words. "+want || !strings.Contains(arguments, want) || !json.Valid([]byte(arguments)) {
							t.Fatalf("%s from %s, stream %t: got %q and %s\n%s", client, from, stream, text, arguments, out)
						}
						finished := false
						for _, e := range events {
							finished = finished || e.Kind == llm.EventFinish && (e.Reason == llm.FinishToolCalls || client == llm.Gemini || client == llm.Responses)
						}
						if !finished || r.Usage.Output != 40 || r.Truncated || r.Code != "" || r.Verdicts["secret"] != ActionRedact {
							t.Fatalf("%s from %s, stream %t: finished %t, %+v\n%s", client, from, stream, finished, r, out)
						}
						numbered(t, client, out)
					}
				}
			}
		}
	}
}

var blockIndex = regexp.MustCompile(`"type": ?"content_block_start", ?"index": ?(\d+)`)

// numbered checks that blocks are counted without gaps where clients insist on it.
func numbered(t testing.TB, client, out string) {
	t.Helper()
	if client != llm.Anthropic {
		return
	}
	for i, m := range blockIndex.FindAllStringSubmatch(out, -1) {
		if m[1] != fmt.Sprint(i) {
			t.Fatalf("block %d has the index %s:\n%s", i, m[1], out)
		}
	}
}

// TestUnchangedBytes: of the client's own format all goes out byte for byte up to
// the first change, and nothing else is changed by guards that find nothing.
func TestUnchangedBytes(t *testing.T) {
	for format := range formats {
		for _, stream := range []bool{true, false} {
			if format == llm.Responses && stream {
				continue // it is numbered through
			}
			h := guardedBy(t, func(o *Options) { o.PassUsage = true }, OutputGuard{Guard: secret})
			clean := written(t, format, stream, "Nothing to hide. "+strings.Repeat("Words and words. ", 20), "x")
			for _, most := range []int{0, 7, 100} {
				mode, _, out, r := responded(t, h, format, format, stream, clean, most)
				if mode == ModePass || out != string(clean) || r.Verdicts["secret"] != ActionAllow {
					t.Fatalf("%s, stream %t, mode %d: %+v\n%s\nwant\n%s", format, stream, mode, r.Verdicts, out, clean)
				}
			}
			if !stream {
				continue
			}
			late := written(t, format, stream, strings.Repeat("Words and words. ", 20)+secrets, "x")
			_, _, out, _ := responded(t, h, format, format, stream, late, 50)
			same := 0
			for same < len(out) && out[same] == late[same] {
				same++
			}
			if same < len(late)/3 {
				t.Errorf("%s: the same for %d of %d bytes only", format, same, len(late))
			}
			events := readBack(t, format, stream, out)
			text, want := said(events, llm.EventText, 0, 0), redactedWhole(strings.Repeat("Words and words. ", 20)+secrets, secret)
			if text != want || said(events, llm.EventReasoning, 0, 0) != "Let me see." || said(events, llm.EventToolArgs, 0, 0) != `{"q":"x"}` {
				t.Errorf("%s: got %q\n%s", format, text, out)
			}
			numbered(t, format, out)
		}
	}
}

// TestOutputBlocked: a response that a guard blocks ends as an error in the
// client's format: as the status of a whole one, as the last event of a stream.
func TestOutputBlocked(t *testing.T) {
	block := secret
	block.action = ActionBlock
	for from := range formats {
		for client := range formats {
			for _, stream := range []bool{true, false} {
				h := guardedBy(t, nil, OutputGuard{Guard: block})
				body := written(t, from, stream, strings.Repeat("Words and words. ", 20)+secrets, "x")
				_, status, out, r := responded(t, h, client, from, stream, body, 40)
				if strings.Contains(out, "12345678") || r.Code != llm.CodeGuardBlocked || r.Verdicts["secret"] != ActionBlock || r.Detail != "guard secret: found" {
					t.Fatalf("%s from %s, stream %t: %+v\n%s", client, from, stream, r, out)
				}
				if !stream {
					if status != 403 || r.Status != 403 || !strings.Contains(out, "blocked by the guard") {
						t.Errorf("%s from %s: %d %s", client, from, status, out)
					}
					continue
				}
				events := readBack(t, client, stream, out)
				last := events[len(events)-1]
				if !strings.HasPrefix(said(events, llm.EventText, 0, 0), "Words and words. ") || last.Kind != llm.EventError || !strings.Contains(last.Err.Message, "blocked by the guard") {
					t.Errorf("%s from %s: ends with %+v\n%s", client, from, last, out)
				}
			}
		}
	}
}

// TestOutputCut: a stream that breaks off, anywhere, shows nothing that guards have
// not seen, and ends with an error that clients can read.
func TestOutputCut(t *testing.T) {
	for format := range formats {
		body := written(t, format, true, "First words. "+secrets, secrets)
		h := guardedBy(t, nil, OutputGuard{Guard: secret})
		for at := 1; at < len(body); at += 1 + at%9 {
			_, _, out, r := responded(t, h, format, format, true, body[:at], 0)
			if strings.Contains(out, "12345678") || strings.Contains(out, "1111 1111 1111 1111") {
				t.Fatalf("%s cut at %d: it is out: %s", format, at, out)
			}
			if r.Truncated && format != llm.Bedrock {
				events := readBack(t, format, true, out)
				if last := events[len(events)-1]; last.Kind != llm.EventError || last.Err.Code != llm.CodeUpstreamError && format == llm.OpenAI {
					t.Fatalf("%s cut at %d: ends with %+v\n%s", format, at, last, out)
				}
			}
		}
	}
}

// TestBehindTheEnd: what a provider sends when its response has ended reaches
// nobody, since nobody reads it.
func TestBehindTheEnd(t *testing.T) {
	h := guardedBy(t, nil, OutputGuard{Guard: secret})
	for _, format := range []string{llm.OpenAI, llm.Anthropic} {
		body := written(t, format, true, "First words.", "x")
		more := written(t, format, true, strings.Repeat("Ä", 40), "x")
		for _, most := range []int{0, 20} {
			if _, _, out, _ := responded(t, h, format, format, true, append(body[:len(body):len(body)], more...), most); strings.Contains(out, "Ä") {
				t.Errorf("%s: it is out: %s", format, out)
			}
		}
	}
}

// TestOutputGuardsAsked: a guard that is there to be asked leaves responses alone
// until a rule asks for it; to be asked about the input is something else.
func TestOutputGuardsAsked(t *testing.T) {
	body := written(t, llm.Anthropic, true, secrets, "x")
	for _, tt := range []struct {
		d    Decision
		mode Mode
		want Action
	}{
		{Decision{}, ModePass, ""},
		{Decision{Guards: []string{"secret"}}, ModePass, ""},
		{Decision{OutputGuards: []string{"secret"}}, ModeStream, ActionRedact},
	} {
		h := guardedBy(t, func(o *Options) {
			o.Policy = policyFunc(func(*Facts) (Decision, error) { return tt.d, nil })
			for i := range o.Providers {
				o.Providers[i].NativeUsage = true
			}
		}, OutputGuard{Guard: secret, Asked: true})
		mode, _, _, r := responded(t, h, llm.Anthropic, llm.Anthropic, true, body, 10)
		if mode != tt.mode || r.Verdicts["secret"] != tt.want {
			t.Errorf("%+v: mode %d, %v", tt.d, mode, r.Verdicts)
		}
	}
}

// TestOutputGuardsForward: what guards cannot read is not fetched.
func TestOutputGuardsForward(t *testing.T) {
	for _, unguarded := range []bool{false, true} {
		h := guardedBy(t, func(o *Options) { o.Forward.Unguarded = unguarded }, OutputGuard{Guard: secret})
		_, answer, _ := decide(t, h, "/v1/completions", `{"model":"by-openai","prompt":"x"}`)
		if (answer == nil) != unguarded || answer != nil && answer.Status != 400 {
			t.Errorf("unguarded %t: %+v", unguarded, answer)
		}
	}
}

// TestStrictestVerdict: of a guard that looks both ways the record keeps the
// stricter verdict.
func TestStrictestVerdict(t *testing.T) {
	for _, input := range []Action{ActionAllow, ActionRedact} {
		for _, text := range []string{"nothing", secrets} {
			h := guardedBy(t, func(o *Options) {
				o.Guards = []InputGuard{{Guard: inputSecret(func(*Text) (Verdict, error) {
					v := Verdict{Action: input}
					if input == ActionRedact {
						v.Findings = []Finding{{Start: 0, End: 1, Label: "x"}}
					}
					return v, nil
				})}}
			}, OutputGuard{Guard: secret})
			_, _, _, r := responded(t, h, llm.OpenAI, llm.OpenAI, true, written(t, llm.OpenAI, true, text, "x"), 10)
			want := input
			if text == secrets {
				want = ActionRedact
			}
			if r.Verdicts["secret"] != want {
				t.Errorf("input %s, output %.10s: %v", input, text, r.Verdicts)
			}
		}
	}
}

type inputSecret func(*Text) (Verdict, error)

func (inputSecret) Name() string { return "secret" }
func (f inputSecret) Check(_ context.Context, t *Text) (Verdict, error) {
	return f(t)
}

// TestReviewSeesOutput: the policy's rules about responses see what the guards
// found in them.
func TestReviewSeesOutput(t *testing.T) {
	var seen map[string]Verdict
	h := guardedBy(t, func(o *Options) {
		o.Policy = reviewed{policyFunc(func(*Facts) (Decision, error) { return Decision{}, nil }), func(f *Facts) { seen = f.Output }}
	}, OutputGuard{Guard: secret})
	responded(t, h, llm.OpenAI, llm.Anthropic, true, written(t, llm.Anthropic, true, secrets, "x"), 10)
	if v := seen["secret"]; v.Action != ActionRedact || len(v.Findings) != 2 {
		t.Errorf("the rules saw %+v", seen)
	}
}

type reviewed struct {
	policyFunc
	see func(*Facts)
}

func (reviewed) Reviews() bool { return true }
func (r reviewed) Review(_ context.Context, f *Facts) (Review, error) {
	r.see(f)
	return Review{}, nil
}

// TestHeldFindings: what a guard found in text that was held back when the stream
// broke off is told, once.
func TestHeldFindings(t *testing.T) {
	for _, action := range []Action{ActionRedact, ActionBlock} {
		finder := finds("secret", `sk-[a-z0-9]{4,20}`)
		finder.action = action
		x := &Exchange{gw: &Gateway{maxResponse: 1 << 20, now: func() time.Time { return start }}}
		x.guards = x.newGuarding([]*OutputGuard{{Guard: finder, Hold: 40}}, "m", true, func(*passage) error { return nil })
		for _, text := range append(slices.Repeat([]string{"words "}, 20), "and sk-12345678 ", "so ") {
			if err := x.guards.take(dialect.Frame{Raw: []byte("x"), Events: []llm.Event{{Kind: llm.EventText, Text: text}}}); err != nil {
				t.Fatal(err)
			}
		}
		x.guards.windows[0].checked = time.Time{} // it is due again
		if err := x.guards.take(dialect.Frame{Raw: []byte("x"), Events: []llm.Event{{Kind: llm.EventText, Text: "on"}}}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			x.heard()
		}
		v := x.outputVerdicts()["secret"]
		if v.Action != action || v.Code != "found" || len(v.Findings) != 1 || x.record.Verdicts["secret"] != action {
			t.Errorf("%s: %q with %d findings and code %q, record %v", action, v.Action, len(v.Findings), v.Code, x.record.Verdicts)
		}
	}
}
