package dialect_test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// everything is what a model can that has no limits.
var everything = llm.Rules{Reasons: true, Adaptive: true, NativeSchema: true, SignedCalls: true}

// A tally is what became of the recordings of one cell of the matrix.
type tally struct {
	tried, passed int
	why           map[string]int // those that did not pass, and what was left out
}

func (c *tally) note(why string) {
	if c.why == nil {
		c.why = map[string]int{}
	}
	c.why[why]++
}

// A matrix has a cell for each pair of dialects.
type matrix map[[2]string]*tally

func (m matrix) cell(from, to dialect.Dialect) *tally {
	at := [2]string{from.Name(), to.Name()}
	if m[at] == nil {
		m[at] = &tally{}
	}
	return m[at]
}

// append writes the matrix as a table, and what each target refused or left out.
func (m matrix) append(dst []byte, title, sense string) []byte {
	dst = fmt.Appendf(dst, "## %s\n\n%s\n\n| from \\ to |", title, sense)
	for _, to := range dialects {
		dst = fmt.Appendf(dst, " %s |", to.Name())
	}
	dst = append(dst, "\n|---|--:|--:|--:|--:|--:|\n"...)
	for _, from := range dialects {
		dst = fmt.Appendf(dst, "| %s |", from.Name())
		for _, to := range dialects {
			c := m.cell(from, to)
			dst = fmt.Appendf(dst, " %d / %d |", c.passed, c.tried)
		}
		dst = append(dst, '\n')
	}
	for _, to := range dialects {
		all := map[string]int{}
		for _, from := range dialects {
			for why, n := range m.cell(from, to).why {
				all[why] += n
			}
		}
		if len(all) == 0 {
			continue
		}
		dst = fmt.Appendf(dst, "\nTo %s:\n\n", to.Name())
		for _, why := range slices.Sorted(maps.Keys(all)) {
			dst = fmt.Appendf(dst, "- %d: %s\n", all[why], why)
		}
	}
	return append(dst, '\n')
}

// TestMatrix sends every recording from its dialect to each of the five: 25
// cells, responses in both forms. The numbers are compared with those in
// testdata, where a corpus is.
func TestMatrix(t *testing.T) {
	s := loadSchemas(t)
	requests, answers := matrix{}, matrix{}
	for _, from := range dialects {
		exchanges := exchangesOf(t, from.Name())
		for _, to := range dialects {
			t.Run(from.Name()+" to "+to.Name(), func(t *testing.T) {
				for _, x := range exchanges {
					requestCrosses(t, s, requests.cell(from, to), from, to, x)
					if x.status < 400 {
						answerCrosses(t, answers.cell(from, to), from, to, x, func(stream bool, out []byte) error {
							return s.check(to.Name(), stream, out)
						})
					}
				}
			})
		}
	}
	index, err := os.ReadFile(filepath.Join(shared, "corpus/index.json"))
	if err != nil {
		t.Skip("no corpus")
	}
	head := fmt.Sprintf("# Recorded traffic across the dialects\n\nWritten by `make golden` from recordings that are not part of this repository (index %.6x).\n\n", sha256.Sum256(index))
	out := []byte(head)
	out = requests.append(out, "Requests", "Written for the target of those tried; below, why a target refused the others. Of the same dialect: the same bytes.")
	out = answers.append(out, "Responses", "Those that say the same to a client of the other dialect, streamed and unary, of those tried; below, what has no place there, each named in a warning, and what ended before it was complete.")
	t.Logf("%s", out)
	const file = "testdata/matrix.md"
	if before, err := os.ReadFile(file); err == nil && !*update && !bytes.HasPrefix(before, []byte(head)) {
		t.Logf("%s is of other recordings", file)
		return
	}
	golden(t, file, out)
}

func requestCrosses(t *testing.T, s *schemas, c *tally, from, to dialect.Dialect, x exchange) {
	t.Helper()
	if x.request == nil {
		return
	}
	r, err := from.DecodeRequest(llm.OpChat, x.request)
	if err != nil {
		if x.status < 400 && !bytes.Contains(x.request, []byte(`"prompt":`)) { // prompts are of another API
			t.Errorf("%s: %v", x.id, err)
		}
		return
	}
	c.tried++
	model := "m"
	if to == converse {
		model = "anthropic.m"
	}
	rules := everything
	if from == to { // for the provider that it was sent to
		model = strings.TrimPrefix(cmp.Or(r.Model, string(jsonx.NewReader(x.request).Tag("model"))), "models/")
		if rules = (llm.Rules{}); strings.HasPrefix(x.id, "mistral-") {
			rules = llm.Rules{ToolAny: true, SeedField: "random_seed"}
		}
	}
	w, err := to.EncodeRequest(r, dialect.Target{Model: model, Rules: rules})
	var e *llm.Error
	switch {
	case errors.As(err, &e) && e.Status == 400 && (e.Code == llm.CodeUnsupported || e.Code == llm.CodeInvalidRequest) && e.Param != "":
		c.note(e.Message)
		return
	case err != nil:
		t.Errorf("%s: %v", x.id, err)
		return
	}
	c.passed++
	for _, warning := range w.Warnings {
		if name, reason, ok := strings.Cut(warning, ": "); !ok || name == "" || reason == "" {
			t.Errorf("%s: the warning %q names no field or no reason", x.id, warning)
		}
	}
	if from == to {
		if !bytes.Equal(w.Body, x.request) && len(r.Edits) == 0 {
			t.Errorf("%s: not the same bytes: %.300s", x.id, w.Body)
		}
		return
	}
	err = s.checkRequest(to, w.Body)
	if _, derr := to.DecodeRequest(llm.OpChat, w.Body); x.status < 400 && err != nil || derr != nil {
		t.Errorf("%s: %v, %v: %.300s", x.id, err, derr, w.Body)
	}
}

// converseCrosses sends a response across without counting it.
func converseCrosses(t *testing.T, from, to dialect.Dialect, x exchange, check func(stream bool, out []byte) error) {
	t.Helper()
	answerCrosses(t, &tally{}, from, to, x, check)
}

func answerCrosses(t *testing.T, c *tally, from, to dialect.Dialect, x exchange, check func(stream bool, out []byte) error) {
	t.Helper()
	c.tried++
	good := true
	fail := func(format string, args ...any) {
		t.Helper()
		good = false
		t.Errorf("%s: %s", x.id, fmt.Sprintf(format, args...))
	}
	for _, stream := range []bool{true, false} {
		if !oneForm(c, from, to, x, stream, check, fail) {
			return
		}
	}
	if good {
		c.passed++
	}
}

// oneForm sends a response across in one form. It reports whether there was an
// answer: one that is cut off the gateway makes an error.
func oneForm(c *tally, from, to dialect.Dialect, x exchange, stream bool, check func(stream bool, out []byte) error, fail func(string, ...any)) bool {
	r := &llm.Request{Op: llm.OpChat, Dialect: to.Name(), Model: "asked", Stream: stream, StreamUsage: true, InputEstimate: 5}
	out, events, lost, err := crossing(from, to, r, x.mediaType, [][]byte{bytes.Clone(x.body), nil})
	if err != nil {
		fail("%v", err)
		return false
	}
	want := read(events)
	if !want.Ended && want.Error == "" {
		c.note("the recording ends before the answer does")
		return false
	}
	nameless := func(c call) bool { return c.Name == "" } // Google's models do that
	if err := check(stream, out); err != nil && want.Error == "" && from != to && !slices.ContainsFunc(want.Calls, nameless) {
		fail("stream %v: %v\n%.600q", stream, err, out)
	}
	_, again, err := cross(to, to, r, to.NewEncoder(r).MediaType(), [][]byte{out, nil})
	if err != nil {
		fail("stream %v: %v\n%.300q", stream, err, out)
		return true
	}
	got := read(again)
	if want.Error != "" {
		if got.Error == "" || got.Ended {
			fail("the error was lost: %.300q", out)
		}
		return true
	}
	if stream {
		for _, w := range lost {
			what, _, _ := strings.Cut(w, ":")
			c.note(what + ", left out with a warning")
		}
	}
	if from == to && got.Reason == llm.FinishToolCalls && want.Reason == got.Reason && len(want.Calls) == 0 {
		got.Reason = llm.FinishStop // of calls that are no functions, which expected does not know
	}
	compare(want, got, to.Name(), r, lost, fail)
	if start := slices.IndexFunc(events, func(e llm.Event) bool { return e.Kind == llm.EventStart }); start < 0 || events[start].ID == "" {
		return true // the id is made up, another one each time
	}
	rng := rand.New(rand.NewPCG(3, uint64(len(x.body))))
	pieces, _, err := cross(from, to, r, x.mediaType, cut(x.body, rng, 200))
	if err != nil || !bytes.Equal(pieces, out) {
		fail("stream %v: cut otherwise it is written otherwise: %v\n%q\n%q", stream, err, out, pieces)
	}
	return true
}

// compare compares what a client reads with what the provider said.
func compare(want, got reading, to string, r *llm.Request, lost []string, fail func(string, ...any)) {
	want = expected(want, to)
	if want.Usage == (llm.Usage{}) && to != llm.OpenAI && to != llm.Responses {
		want.Usage.Input = r.InputEstimate // the provider did not say
	}
	if want.Signature == "" {
		got.Signature = ""
	}
	for _, w := range lost {
		switch what, _, _ := strings.Cut(w, ":"); what {
		case "citations":
			got.Sources, want.Sources = nil, nil
		case "logprobs":
			got.Tokens, want.Tokens = 0, 0
		}
	}
	compareCalls(&got, &want)
	if !reflect.DeepEqual(got, want) {
		fail("stream %v:\n got %+v\nwant %+v", r.Stream, got, want)
	}
}
