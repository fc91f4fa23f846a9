package dialect_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/bedrock"
	"github.com/attache-gateway/attache/extproc/dialect/eventstream"
	"github.com/attache-gateway/attache/extproc/dialect/gemini"
	"github.com/attache-gateway/attache/extproc/llm"
)

var (
	converse = bedrock.New()
	google   = gemini.New()
)

func init() {
	reasons[llm.Bedrock] = map[llm.FinishReason]llm.FinishReason{
		llm.FinishRefusal: llm.FinishContentFilter,
		llm.FinishPause:   llm.FinishStop,
	}
	endpoints[llm.Gemini] = []string{"generateContent", "streamGenerateContent"}
}

// An exchange is a recording as bytes.
type exchange struct {
	id, mediaType string
	status        int
	request, body []byte
}

// converseExchanges reads what was recorded of the Converse API.
func converseExchanges(t *testing.T) (out []exchange) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(shared, "corpus/bedrock/bedrock-converse-*.json"))
	if len(files) == 0 {
		t.Skip("no corpus")
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var r struct {
			ID       string
			Request  *struct{ Body json.RawMessage }
			Response struct {
				Status int
				Kind   string
				Body   json.RawMessage
				Base64 []byte   `json:"body_b64"`
				Lines  []string `json:"raw_lines"`
			}
		}
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		x := exchange{id: r.ID, status: r.Response.Status, mediaType: "application/json", body: r.Response.Body}
		if r.Request != nil && bytes.HasPrefix(r.Request.Body, []byte("{")) {
			x.request = r.Request.Body
		}
		if r.Response.Kind != "json" {
			x.mediaType, x.body = eventstream.MediaType, r.Response.Base64
		}
		for _, line := range r.Response.Lines { // the events alone
			var e map[string]json.RawMessage
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			for name, payload := range e {
				start := len(x.body)
				x.body = eventstream.Begin(x.body, eventstream.Field{Name: ":event-type", Value: name}, eventstream.Field{Name: ":message-type", Value: "event"})
				x.body = eventstream.End(append(x.body, payload...), start)
			}
		}
		out = append(out, x)
	}
	return out
}

// exchangesOf reads what was recorded of any dialect.
func exchangesOf(t *testing.T, name string) (out []exchange) {
	t.Helper()
	if name == llm.Bedrock {
		return converseExchanges(t)
	}
	for _, rec := range recordings(t, name) {
		x := exchange{id: rec.ID, status: rec.Response.Status}
		x.mediaType, x.body = rec.wire()
		if name == llm.Responses && bytes.Contains(x.body, []byte("chat.completion")) {
			continue
		}
		if rec.Provider != "vertex-anthropic" && rec.Request != nil && bytes.HasPrefix(rec.Request.Body, []byte("{")) {
			x.request = rec.Request.Body
		}
		out = append(out, x)
	}
	return out
}

// conversePairs are the dialect with each of the others, both ways.
func conversePairs(run func(from, to dialect.Dialect)) {
	for _, d := range append(slices.Clone(dialects), responsesAPI) {
		run(converse, d)
		run(d, converse)
	}
}

// A service is Amazon's published description of the shapes on the wire.
type service struct {
	Shapes map[string]*struct {
		Type     string
		Required []string
		Members  map[string]struct{ Shape, Location string }
		Member   struct{ Shape string }
		Union    bool
		Document bool
		Enum     []string
		Pattern  string
		Min, Max *float64
	}
}

func loadService(t *testing.T) *service {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(shared, "specs/bedrock-runtime.service-2.json"))
	if err != nil {
		t.Skip("no schemas")
	}
	s := &service{}
	if err := json.Unmarshal(raw, s); err != nil {
		t.Fatal(err)
	}
	if s.check("ConverseResponse", "", map[string]any{}) == nil || s.check("Message", "", map[string]any{"role": "x", "content": []any{}}) == nil {
		t.Fatal("the shapes take anything")
	}
	return s
}

// check validates a value by its shape.
func (s *service) check(shape, at string, v any) error {
	d := s.Shapes[shape]
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%s (%s): %s", at, shape, fmt.Sprintf(format, args...))
	}
	within := func(n float64) bool { return (d.Min == nil || n >= *d.Min) && (d.Max == nil || n <= *d.Max) }
	switch v := v.(type) {
	case map[string]any:
		if d.Document || d.Type == "map" {
			return nil
		}
		if d.Type != "structure" || d.Union && len(v) != 1 {
			return fail("got %v", v)
		}
		for _, name := range d.Required {
			if _, ok := v[name]; !ok && d.Members[name].Location == "" {
				return fail("%s is missing", name)
			}
		}
		for name, value := range v {
			m, ok := d.Members[name]
			if !ok || m.Location != "" {
				return fail("%s is not known", name)
			}
			if err := s.check(m.Shape, at+"."+name, value); err != nil {
				return err
			}
		}
	case []any:
		if d.Type != "list" || !within(float64(len(v))) {
			return fail("got a list of %d", len(v))
		}
		for i, e := range v {
			if err := s.check(d.Member.Shape, fmt.Sprintf("%s[%d]", at, i), e); err != nil {
				return err
			}
		}
	case string:
		switch {
		case d.Type == "blob":
			if _, err := base64.StdEncoding.DecodeString(v); err != nil {
				return fail("%v", err)
			}
		case d.Type != "string", !within(float64(len(v))), d.Enum != nil && !slices.Contains(d.Enum, v),
			d.Pattern != "" && !regexp.MustCompile("^(?:"+d.Pattern+")$").MatchString(v):
			return fail("got %q", v)
		}
	case float64:
		if !slices.Contains([]string{"integer", "long", "float", "double"}, d.Type) || !within(v) {
			return fail("got %v", v)
		}
	case bool:
		if d.Type != "boolean" {
			return fail("got %v", v)
		}
	}
	return nil
}

func (s *service) checkJSON(shape string, raw []byte) error {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	return s.check(shape, "", v)
}

// checkAnswer validates what a client is sent.
func (s *service) checkAnswer(stream bool, out []byte) error {
	if !stream {
		return s.checkJSON("ConverseResponse", out)
	}
	splitter := eventstream.New(16 << 20)
	err := splitter.Split(out, func(m *eventstream.Message) error {
		if string(m.Text(":message-type")) != "event" || string(m.Text(":content-type")) != "application/json" {
			return fmt.Errorf("unexpected message %q", m.Raw)
		}
		event := s.Shapes["ConverseStreamOutput"].Members[string(m.Text(":event-type"))]
		return s.checkJSON(event.Shape, m.Payload)
	})
	if err == nil && splitter.Held() > 0 {
		err = errors.New("half a message")
	}
	return err
}

// A recorded response says the same to a client of another dialect.
func TestConverseAnswersCross(t *testing.T) {
	schemas, amazon := loadSchemas(t), loadService(t)
	schemas.addResponses(t)
	run := func(from, to dialect.Dialect) {
		check := func(stream bool, out []byte) error { return schemas.check(to.Name(), stream, out) }
		if to == converse {
			check = amazon.checkAnswer
		}
		t.Run(from.Name()+" to "+to.Name(), func(t *testing.T) {
			tried := 0
			for _, x := range exchangesOf(t, from.Name()) {
				if x.status < 400 {
					tried++
					converseCrosses(t, from, to, x, check)
				}
			}
			t.Logf("%d responses tried, each in both forms", tried)
		})
	}
	conversePairs(run)
	run(google, converse)
}

func converseCrosses(t *testing.T, from, to dialect.Dialect, x exchange, check func(stream bool, out []byte) error) {
	t.Helper()
	for _, stream := range []bool{true, false} {
		r := &llm.Request{Op: llm.OpChat, Dialect: to.Name(), Model: "asked", Stream: stream, StreamUsage: true, InputEstimate: 5}
		fail := func(format string, args ...any) {
			t.Helper()
			t.Errorf("%s, stream %v: %s", x.id, stream, fmt.Sprintf(format, args...))
		}
		out, events, err := cross(from, to, r, x.mediaType, [][]byte{bytes.Clone(x.body), nil})
		if err != nil {
			fail("%v", err)
			return
		}
		want := read(events)
		if !want.Ended && want.Error == "" {
			continue // cut off: the gateway makes it an error
		}
		nameless := func(c call) bool { return c.Name == "" } // Google's models do that
		if err := check(stream, out); err != nil && want.Error == "" && !slices.ContainsFunc(want.Calls, nameless) {
			fail("%v\n%.300q", err, out)
		}
		_, again, err := cross(to, to, r, to.NewEncoder(r).MediaType(), [][]byte{out, nil})
		if err != nil {
			fail("%v\n%.300q", err, out)
			continue
		}
		got := read(again)
		got.Signature = strings.ReplaceAll(got.Signature, "attache:unsigned:", "") // our own mark
		if want.Error != "" {
			if got.Error == "" || got.Ended {
				fail("the error was lost: %.300q", out)
			}
			continue
		}
		if want = expected(want, to.Name()); to == converse {
			want.Usage.Reasoning = 0 // it has no such count
			for i := range want.Calls {
				if i < len(got.Calls) && len(want.Calls[i].ID) > 64 {
					want.Calls[i].ID = got.Calls[i].ID
				}
			}
		}
		if want.Usage == (llm.Usage{}) && to.Name() != llm.OpenAI && to.Name() != llm.Responses {
			want.Usage.Input = r.InputEstimate // the provider did not say
		}
		if got.Usage.CacheWriteHour = 0; want.Signature == "" {
			got.Signature = ""
		}
		compareCalls(&got, &want)
		if !reflect.DeepEqual(got, want) {
			fail("\n got %+v\nwant %+v", got, want)
		}
		if start := slices.IndexFunc(events, func(e llm.Event) bool { return e.Kind == llm.EventStart }); start < 0 || events[start].ID == "" {
			continue // the id is made up, another one each time
		}
		rng := rand.New(rand.NewPCG(3, uint64(len(x.body))))
		pieces, _, err := cross(from, to, r, x.mediaType, cut(x.body, rng, 200))
		if err != nil || !bytes.Equal(pieces, out) {
			fail("cut otherwise it is written otherwise: %v\n%q\n%q", err, out, pieces)
		}
	}
}

// A recorded request can be written for another dialect, or is refused for a
// reason that has a code.
func TestConverseRequestsCross(t *testing.T) {
	schemas, amazon := loadSchemas(t), loadService(t)
	schemas.addResponses(t)
	rules := llm.Rules{Reasons: true, Adaptive: true, NativeSchema: true}
	conversePairs(func(from, to dialect.Dialect) {
		t.Run(from.Name()+" to "+to.Name(), func(t *testing.T) {
			tried, written := 0, 0
			refused := map[string]int{}
			for _, x := range exchangesOf(t, from.Name()) {
				if x.request == nil {
					continue
				}
				r, err := from.DecodeRequest(llm.OpChat, x.request)
				if err != nil {
					if x.status < 400 && !bytes.Contains(x.request, []byte(`"prompt":`)) {
						t.Errorf("%s: %v", x.id, err)
					}
					continue
				}
				tried++
				w, err := to.EncodeRequest(r, dialect.Target{Model: "anthropic.m", Rules: rules})
				var e *llm.Error
				switch {
				case err == nil:
					written++
					if to == converse {
						err = amazon.checkJSON("ConverseRequest", w.Body)
					} else {
						err = validate(schemas.request[to.Name()], w.Body)
					}
					if _, derr := to.DecodeRequest(llm.OpChat, w.Body); x.status < 400 && err != nil || derr != nil {
						t.Errorf("%s: %v, %v: %.300s", x.id, err, derr, w.Body)
					}
				case errors.As(err, &e) && e.Status == 400 && (e.Code == llm.CodeUnsupported || e.Code == llm.CodeInvalidRequest):
					refused[e.Message]++
				default:
					t.Errorf("%s: %v", x.id, err)
				}
			}
			t.Logf("%d tried, %d written", tried, written)
			for _, why := range slices.Sorted(maps.Keys(refused)) {
				t.Logf("%d refused: %s", refused[why], why)
			}
		})
	})
}
