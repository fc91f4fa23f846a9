package gateway

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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

// gistOf is what a reader of an answer makes of its events: texts without their
// cuts, and what stands beside them.
func gistOf(events []llm.Event) string {
	var b strings.Builder
	last, usage := "", llm.Usage{}
	for _, e := range events {
		name := ""
		switch e.Kind {
		case llm.EventText:
			name = "text"
		case llm.EventReasoning:
			name = "reasoning"
		case llm.EventUsage:
			usage = e.Usage
			continue
		case llm.EventStart, llm.EventPing, llm.EventBlockEnd:
			continue
		}
		if name = fmt.Sprintf("%s %d", name, e.Choice); e.Kind == llm.EventText || e.Kind == llm.EventReasoning {
			if name != last {
				b.WriteString(name + ": ")
			}
			b.WriteString(e.Text)
			last = name
			continue
		}
		if last != "" {
			b.WriteString("\n")
			last = ""
		}
		switch {
		case e.Kind == llm.EventFinish:
			fmt.Fprintf(&b, "finish %d: %s%s\n", e.Choice, e.Reason, e.Stop)
		case e.Kind == llm.EventEnd:
			fmt.Fprintf(&b, "usage %d %d\nend\n", usage.Input, usage.Output)
		case e.Citation != nil:
			fmt.Fprintf(&b, "citation %+v\n", *e.Citation)
		case e.Raw != nil:
			fmt.Fprintf(&b, "raw %s\n", e.Raw.JSON)
		case e.Logprobs != nil:
			fmt.Fprintf(&b, "logprobs %+v\n", *e.Logprobs)
		case e.Media != nil:
			fmt.Fprintf(&b, "media %+v\n", *e.Media)
		default:
			fmt.Fprintf(&b, "%d %q %q\n", e.Kind, e.Text, e.Name)
		}
	}
	return b.String()
}

// keepAll is what the cache makes of a response; nil: it is not kept.
func keepAll(frames []dialect.Frame) []llm.Event {
	k := &keeping{}
	for _, f := range frames {
		for i := range f.Events {
			if !k.take(&f.Events[i]) {
				return nil
			}
		}
	}
	k.flush()
	return k.events
}

// answers are recorded responses: those of the dialects' own tests, which have all
// that there is, and the corpus, where it is.
func answers(t *testing.T, yield func(name string, d dialect.Dialect, media string, body []byte)) {
	all := map[string]dialect.Dialect{llm.OpenAI: openai.New(), llm.Responses: responses.New(), llm.Anthropic: anthropic.New(), llm.Gemini: gemini.New(), llm.Bedrock: bedrock.New()}
	yield("a completion", all[llm.OpenAI], jsonMedia, []byte(completion))
	yield("a stream", all[llm.Anthropic], sseMedia, []byte(anthropicStream))
	for name, media := range map[string]string{"answer.json": jsonMedia, "answer.sse": sseMedia, "answer.events": amazons} {
		files, err := filepath.Glob("../dialect/testdata/*/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := all[filepath.Base(filepath.Dir(file))]; d != nil {
				yield(file, d, media, body)
			}
		}
	}
	const corpus = "../../../shared/corpus"
	var index struct {
		Recordings []struct{ File, Endpoint string }
	}
	raw, err := os.ReadFile(corpus + "/index.json")
	if err != nil {
		return
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatal(err)
	}
	speaks := map[string]string{"chat": llm.OpenAI, "responses": llm.Responses, "messages": llm.Anthropic, "generateContent": llm.Gemini, "streamGenerateContent": llm.Gemini}
	for _, entry := range index.Recordings {
		d := all[speaks[entry.Endpoint]]
		if d == nil {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(corpus, entry.File))
		if err != nil {
			t.Fatal(err)
		}
		var rec struct {
			Response struct {
				Status int
				Kind   string
				Body   json.RawMessage
				Lines  []string `json:"raw_lines"`
			}
		}
		if err := json.Unmarshal(raw, &rec); err != nil {
			t.Fatal(err)
		}
		switch media, body := jsonMedia, []byte(rec.Response.Body); {
		case rec.Response.Status != 200:
		case rec.Response.Kind == "sse":
			media, body = sseMedia, []byte(strings.Join(rec.Response.Lines, "\n"))
			fallthrough
		case rec.Response.Kind == "json":
			yield(entry.File, d, media, body)
		}
	}
}

// TestKeptAnswersReadTheSame: in every client's format, streamed and not, what is
// kept of a response says what the response itself says there.
func TestKeptAnswersReadTheSame(t *testing.T) {
	clients := []dialect.Dialect{openai.New(), responses.New(), anthropic.New(), gemini.New(), bedrock.New()}
	seen, kept := 0, 0
	answers(t, func(name string, d dialect.Dialect, media string, body []byte) {
		frames, err := d.NewDecoder(llm.OpChat, media, 8<<20).Decode(body, true)
		if err != nil {
			return
		}
		seen++
		entry := keepAll(frames)
		if entry == nil || !slices.ContainsFunc(entry, func(e llm.Event) bool { return e.Kind == llm.EventEnd }) {
			return
		}
		kept++
		var events []llm.Event
		for _, f := range frames {
			events = append(events, f.Events...)
		}
		for _, client := range clients {
			for _, stream := range []bool{false, true} {
				r := &llm.Request{Op: llm.OpChat, Dialect: client.Name(), Model: "m", Stream: stream, StreamUsage: true}
				want, got := rewritten(t, client, r, events), rewritten(t, client, r, entry)
				if got != want {
					t.Errorf("%s for %s, stream %v:\n%s\nwant\n%s", name, client.Name(), stream, got, want)
				}
			}
		}
	})
	t.Logf("%d of %d answers are kept", kept, seen)
	if kept == 0 {
		t.Error("nothing is kept")
	}
}

// rewritten is what a client reads of events.
func rewritten(t *testing.T, client dialect.Dialect, r *llm.Request, events []llm.Event) string {
	t.Helper()
	enc := client.NewEncoder(r)
	out, err := enc.Encode(nil, slices.Clone(events))
	if err != nil {
		t.Fatal(err)
	}
	frames, err := client.NewDecoder(r.Op, enc.MediaType(), 8<<20).Decode(out, true)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var back []llm.Event
	for _, f := range frames {
		back = append(back, f.Events...)
	}
	return gistOf(back)
}

// Texts are kept in pieces that do not cut characters, the same however they came.
func TestKeepingTexts(t *testing.T) {
	text := strings.Repeat("aé日😀", 3000)
	whole := keepAll([]dialect.Frame{{Events: []llm.Event{{Kind: llm.EventText, Text: text}}}})
	var parts []llm.Event
	for i, r := range text {
		parts = append(parts, llm.Event{Kind: llm.EventText, Text: string(r)})
		if i%7 == 0 {
			parts = append(parts, llm.Event{Kind: llm.EventPing})
		}
	}
	pieces := keepAll([]dialect.Frame{{Events: parts}})
	if !slices.EqualFunc(whole, pieces, func(a, b llm.Event) bool { return a == b }) {
		t.Errorf("%d events in one piece, %d in many", len(whole), len(pieces))
	}
	back := ""
	for _, e := range whole {
		if len(e.Text) > maxPiece || strings.ToValidUTF8(e.Text, "") != e.Text {
			t.Errorf("a piece of %d bytes: %.20q", len(e.Text), e.Text)
		}
		back += e.Text
	}
	if back != text {
		t.Error("the text is another one")
	}
	apart := keepAll([]dialect.Frame{{Events: []llm.Event{
		{Kind: llm.EventText, Text: "a"}, {Kind: llm.EventText, Text: "b", Choice: 1}, {Kind: llm.EventReasoning, Text: "c", Choice: 1}, {Kind: llm.EventBlockEnd, Choice: 1}, {Kind: llm.EventReasoning, Text: "d", Choice: 1},
	}}})
	if len(apart) != 5 {
		t.Errorf("texts that do not belong together were joined: %+v", apart)
	}
}
