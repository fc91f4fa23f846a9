package dialect_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/eventstream"
	"github.com/attache-gateway/attache/extproc/llm"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of the expected output.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update writes it anew):\n%s", file, got)
	}
}

// samples are the folders with one request that has everything in it, and one
// answer in both forms.
var samples = map[string]string{
	llm.OpenAI: "testdata/crossing", llm.Responses: "testdata/responses", llm.Anthropic: "testdata/anthropic",
	llm.Gemini: "testdata/gemini", llm.Bedrock: "testdata/bedrock",
}

// sampleOf reads a file of a dialect's folder; ok is false if there is none.
func sampleOf(t *testing.T, d dialect.Dialect, file string) (body []byte, ok bool) {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(samples[d.Name()], file))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return body, err == nil
}

// TestGoldenMatrix renders what each dialect can say, request and response, for
// each operation, into each of the others: a file for each pair.
func TestGoldenMatrix(t *testing.T) {
	for _, from := range dialects {
		for _, to := range others(from.Name()) {
			var out []byte
			for _, op := range []struct {
				name          string
				op            llm.Op
				request, body string
			}{
				{"chat", llm.OpChat, "full.json", "answer.json"},
				{"embeddings", llm.OpEmbeddings, "embed.json", "vectors.json"},
				{"count_tokens", llm.OpCountTokens, "count.json", "counted.json"},
			} {
				request, ok := sampleOf(t, from, op.request)
				if !ok {
					continue
				}
				out = fmt.Appendf(out, "==== %s: request\n", op.name)
				out = renderRequest(t, out, from, to, op.op, request)
				for _, stream := range []bool{false, true}[:1+b2i(op.op == llm.OpChat)] {
					form := map[bool]string{false: "unary", true: "streamed"}[stream]
					out = fmt.Appendf(out, "==== %s: %s response to a client of %s\n", op.name, form, to.Name())
					out = renderAnswers(t, out, from, to, op.op, op.body, stream)
				}
			}
			golden(t, filepath.Join("testdata", "matrix", from.Name()+"."+to.Name()+".golden"), out)
		}
	}
}

func b2i(is bool) int {
	if is {
		return 1
	}
	return 0
}

// renderRequest writes a request for another dialect. What is refused is taken
// out, one canonical field after the other.
func renderRequest(t *testing.T, out []byte, from, to dialect.Dialect, op llm.Op, body []byte) []byte {
	t.Helper()
	r, err := from.DecodeRequest(op, body)
	if err != nil {
		t.Fatalf("%s: %v", from.Name(), err)
	}
	for {
		w, err := to.EncodeRequest(r, dialect.Target{Model: "anthropic.target", Rules: llm.Rules{Reasons: true, Adaptive: true, NativeSchema: true}})
		var e *llm.Error
		if errors.As(err, &e) {
			out = fmt.Appendf(out, "refused: %v\n", e)
			switch e.Param {
			case dialect.Name(r, "stop"):
				r.Stop = nil
				continue
			case dialect.Name(r, "n"):
				r.N = 0
				continue
			case "":
				return out
			default:
				if takeOut(r, e.Param) {
					continue
				}
			}
		}
		if err != nil {
			t.Fatalf("%s to %s: %v", from.Name(), to.Name(), err)
		}
		out = fmt.Appendf(out, "POST %s\n", w.Path)
		for _, h := range w.Header {
			out = fmt.Appendf(out, "%s: %s\n", h.Name, h.Value)
		}
		for _, warning := range w.Warnings {
			out = fmt.Appendf(out, "warning: %s\n", warning)
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, w.Body, "", "  "); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		return append(append(out, pretty.Bytes()...), '\n')
	}
}

// takeOut takes the part or tool that stands at a place out of a request.
func takeOut(r *llm.Request, at string) (found bool) {
	n := &dialect.Notes{Request: r}
	gone := func(p llm.Part) bool {
		is := p.Raw != nil && n.Place(p.Raw, "") == at
		found = found || is
		return is
	}
	for i := range r.Messages {
		m := &r.Messages[i]
		m.Parts = slices.DeleteFunc(m.Parts, gone)
		for j := range m.Parts {
			m.Parts[j].Parts = slices.DeleteFunc(m.Parts[j].Parts, gone)
		}
	}
	r.Tools = slices.DeleteFunc(r.Tools, func(t llm.Tool) bool { return gone(llm.Part{Raw: t.Raw}) })
	return found
}

// renderAnswers writes an answer for a client of another dialect. That its two
// forms say the same is seen from the unary answer to both.
func renderAnswers(t *testing.T, out []byte, from, to dialect.Dialect, op llm.Op, file string, stream bool) []byte {
	t.Helper()
	forms := []struct{ file, mediaType string }{{file, "application/json"}}
	if op == llm.OpChat {
		forms = append(forms, struct{ file, mediaType string }{"answer.sse", "text/event-stream"}, struct{ file, mediaType string }{"answer.events", eventstream.MediaType})
	}
	var first []byte
	for _, form := range forms {
		body, ok := sampleOf(t, from, form.file)
		if !ok {
			continue
		}
		if form.mediaType == eventstream.MediaType {
			body = framed(body)
		}
		r := &llm.Request{Op: op, Dialect: to.Name(), Stream: stream, StreamUsage: true, InputEstimate: 5}
		answer, _, lost, err := crossing(from, to, r, form.mediaType, [][]byte{body, nil})
		if err != nil {
			t.Fatalf("%s to %s, %s: %v", from.Name(), to.Name(), form.file, err)
		}
		answer = readable(t, to, stream, answer)
		if form.mediaType != "application/json" && !stream && !sameJSON(answer, first) {
			t.Errorf("%s to %s: the two forms of the answer are two answers:\n%s\n%s", from.Name(), to.Name(), first, answer)
		}
		first = answer
		if form.mediaType != "application/json" == stream || op != llm.OpChat {
			for _, w := range lost {
				out = fmt.Appendf(out, "warning: %s\n", w)
			}
			out = append(append(out, answer...), '\n')
		}
	}
	return out
}

// framed is an event stream of the events that stand in lines: a name and a
// payload.
func framed(lines []byte) (out []byte) {
	for line := range bytes.Lines(lines) {
		name, payload, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
		start := len(out)
		out = eventstream.Begin(out, eventstream.Field{Name: ":event-type", Value: string(name)}, eventstream.Field{Name: ":message-type", Value: "event"})
		out = eventstream.End(append(out, payload...), start)
	}
	return out
}

// sameJSON reports whether two texts say the same: escapes need not be equal.
func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// readable is an answer as text, without what is made up each time.
func readable(t *testing.T, to dialect.Dialect, stream bool, answer []byte) []byte {
	t.Helper()
	if to == converse && stream {
		var text []byte
		err := eventstream.New(16<<20).Split(answer, func(m *eventstream.Message) error {
			text = fmt.Appendf(text, "%s %s\n", m.Text(":event-type"), m.Payload)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		answer = text
	}
	if !stream {
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, answer, "", "  "); err != nil {
			t.Fatalf("%v: %s", err, answer)
		}
		answer = pretty.Bytes()
	}
	return madeUp(bytes.ReplaceAll(answer, []byte("\r"), nil))
}

// madeUp replaces ids that an encoder makes where the provider gave none, 26
// letters and digits of base 32.
func madeUp(text []byte) []byte {
	random := func(c rune) bool { return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", c) }
	for _, word := range bytes.FieldsFunc(text, random) {
		if len(word) == 26 {
			text = bytes.ReplaceAll(text, word, []byte("RANDOM"))
		}
	}
	return text
}
