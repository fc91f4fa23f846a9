package openai

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/attache-gateway/attache/extproc/llm"
)

// clock is a clock that stands.
func clock() time.Time { return time.Unix(1790000000, 0) }

// encode writes events as the client would get them.
func encode(t testing.TB, d *Dialect, r *llm.Request, events []llm.Event) []byte {
	t.Helper()
	e := d.NewEncoder(r)
	var out []byte
	for chunk := range slices.Chunk(events, 3) {
		var err error
		if out, err = e.Encode(out, chunk); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// What a recorded answer says stays the same when it is written anew, streamed
// or not, and what is written is what OpenAI's own clients accept.
func TestCorpusRewritten(t *testing.T) {
	d := New().WithClock(clock)
	all := recordings(t, "chat")
	valid := spec(t)
	n := 0
	for _, r := range all {
		if r.Response.Status != 200 {
			continue
		}
		body, mediaType := r.wire()
		events, _, err := decodeAll(d, llm.OpChat, mediaType, body, whole)
		if err != nil {
			t.Fatal(r.ID, err)
		}
		want := gather(argued(events))
		for _, q := range []*llm.Request{
			{Op: llm.OpChat, Model: "m"},
			{Op: llm.OpChat, Model: "m", Stream: true, StreamUsage: true},
			{Op: llm.OpChat, Model: "m", Stream: true},
		} {
			out := encode(t, d, q, events)
			kind := d.NewEncoder(q).MediaType()
			again, _, err := decodeAll(d, llm.OpChat, kind, out, whole)
			if err != nil {
				t.Fatalf("%s: %v: %s", r.ID, err, out)
			}
			if q.Stream && !q.StreamUsage {
				again = append(again, usageOf(events)...)
			}
			if got := gather(again); got != want && !bytes.Contains([]byte(want), []byte("false")) {
				t.Errorf("%s, stream %v:\ngot  %s\nwant %s", r.ID, q.Stream, got, want)
			}
			if q.Stream {
				strictChunks(t, r.ID, out, valid, q.StreamUsage)
			} else if len(out) > 0 && !bytes.HasPrefix(out, []byte(`{"error"`)) {
				// OpenRouter has annotations of its own, for files
				if err := valid("CreateChatCompletionResponse", out); err != nil && !bytes.Contains(out, []byte(`"annotations":[{"file"`)) {
					t.Errorf("%s: %v\n%s", r.ID, err, out)
				}
			}
			n++
		}
	}
	t.Logf("%d answers rewritten", n)
}

// argued gives calls without arguments the empty object that clients need.
func argued(events []llm.Event) []llm.Event {
	out := slices.Clone(events)
	for i := 0; i < len(out); i++ {
		e := out[i]
		has := slices.ContainsFunc(out, func(a llm.Event) bool {
			return a.Kind == llm.EventToolArgs && a.Choice == e.Choice && a.Tool == e.Tool
		})
		if e.Kind == llm.EventToolStart && !has {
			e.Kind, e.Text = llm.EventToolArgs, "{}"
			out = slices.Insert(out, i+1, e)
		}
	}
	return out
}

func usageOf(events []llm.Event) (u []llm.Event) {
	for _, e := range events {
		if e.Kind == llm.EventUsage {
			u = append(u, e)
		}
	}
	return u
}
