package gateway

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

// recorded returns what providers have sent in a format: the streams, or the
// whole responses, by the names of their files.
func recorded(t *testing.T, format string, stream bool) map[string][]byte {
	t.Helper()
	const shared = "../../../shared/corpus"
	endpoints := map[string]string{"chat": llm.OpenAI, "responses": llm.Responses, "messages": llm.Anthropic, "generateContent": llm.Gemini, "streamGenerateContent": llm.Gemini}
	var index struct {
		Recordings []struct{ File, Endpoint string }
	}
	raw, err := os.ReadFile(filepath.Join(shared, "index.json"))
	if err != nil {
		t.Skip("no corpus")
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatal(err)
	}
	bodies := map[string][]byte{}
	for _, entry := range index.Recordings {
		if endpoints[entry.Endpoint] != format {
			continue
		}
		var r struct {
			Response struct {
				Status int
				Kind   string
				Body   json.RawMessage
				Lines  []string `json:"raw_lines"`
			}
		}
		raw, err := os.ReadFile(filepath.Join(shared, entry.File))
		if err == nil {
			err = json.Unmarshal(raw, &r)
		}
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case r.Response.Status >= 400:
		case stream && r.Response.Kind == "sse":
			bodies[entry.File] = []byte(strings.Join(r.Response.Lines, "\n"))
		case stream && r.Response.Kind == "chunks": // the data of the events alone
			for _, data := range r.Response.Lines {
				bodies[entry.File] = fmt.Appendf(bodies[entry.File], "data: %s\n\n", data)
			}
		case !stream && len(r.Response.Body) > 0 && r.Response.Kind != "sse" && r.Response.Kind != "chunks":
			bodies[entry.File] = r.Response.Body
		}
	}
	return bodies
}

// TestOutputGuardCorpus: recorded responses that a guard finds nothing in go out
// byte for byte up to their end, and others as what is left of them, in an order and with numbers
// that clients accept.
func TestOutputGuardCorpus(t *testing.T) {
	words := finds("word", `\b(the|and|for|you|is|to)\b`)
	nothing := finds("nothing", `\bno such word as this one\b`)
	for _, format := range []string{llm.OpenAI, llm.Responses, llm.Anthropic, llm.Gemini} {
		for _, stream := range []bool{true, false} {
			t.Run(fmt.Sprint(format, " ", stream), func(t *testing.T) {
				bodies := recorded(t, format, stream)
				same := guardedBy(t, func(o *Options) { o.PassUsage = true }, OutputGuard{Guard: nothing})
				less := guardedBy(t, func(o *Options) { o.PassUsage = true }, OutputGuard{Guard: words})
				changed := 0
				for name, body := range bodies {
					if format != llm.Responses || !stream {
						_, _, out, r := responded(t, same, format, format, stream, body, 0)
						if behind, ok := strings.CutPrefix(string(body), out); r.Code == "" && (!ok || behind != "" && !strings.Contains(out, "message_stop")) {
							t.Errorf("%s: changed\n got %.600s\nwant %.600s", name, out, body)
						}
					}
					_, _, out, r := responded(t, less, format, format, stream, body, 64)
					if r.Code != "" { // the provider's error, or a redaction that JSON does not survive
						continue
					}
					before, after := readBack(t, format, stream, string(body)), readBack(t, format, stream, out)
					for _, kind := range []llm.Kind{llm.EventText, llm.EventReasoning, llm.EventRefusal} {
						want, got := redactedWhole(said(before, kind, 0, 0), words), said(after, kind, 0, 0)
						if got != want {
							t.Errorf("%s, kind %d:\n got %.900q\nwant %.900q", name, kind, got, want)
						}
						if strings.Contains(got, "[WORD]") {
							changed++
						}
					}
					if !slices.ContainsFunc(after, func(e llm.Event) bool { return e.Kind == llm.EventEnd }) {
						t.Errorf("%s: does not end", name)
					}
					numbered(t, format, out)
				}
				t.Logf("%d of %d changed", changed, len(bodies))
			})
		}
	}
}
