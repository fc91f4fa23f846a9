package anthropic

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

const samples = "../testdata/anthropic"

var update = flag.Bool("update", false, "write the golden files anew")

func sample(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(samples, name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// golden compares a value's JSON, without what is zero in it, with a file.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(lean(parse(string(raw))), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(filepath.Join(samples, name), got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := sample(t, name); !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update writes it anew):\n%s", name, got)
	}
}

// lean drops zero values from what was decoded from JSON.
func lean(v any) any {
	switch v := v.(type) {
	case object:
		for name, value := range v {
			if value = lean(value); value == nil {
				delete(v, name)
			} else {
				v[name] = value
			}
		}
		if len(v) > 0 {
			return v
		}
		return nil
	case []any:
		for i := range v {
			v[i] = lean(v[i])
		}
		return v
	}
	if v == nil || reflect.ValueOf(v).IsZero() {
		return nil
	}
	return v
}

// The canonical form of a request that has everything in it.
func TestDecodeFull(t *testing.T) {
	body := sample(t, "full.json")
	r, err := New().DecodeRequest(llm.OpChat, body)
	if err != nil {
		t.Fatal(err)
	}
	checkSpans(t, "full", r)
	w, err := New().EncodeRequest(r, dialect.Target{Model: r.Model})
	if err != nil || !bytes.Equal(w.Body, body) || len(w.Warnings) > 0 {
		t.Errorf("the same dialect gets another body: %v", err)
	}
	r.Body = llm.Body{} // the golden file shows what was made of it
	strip(r.System)
	for _, m := range r.Messages {
		strip(m.Parts)
	}
	for i := range r.Tools {
		r.Tools[i].Schema, r.Tools[i].Raw = nil, nil
	}
	r.Format.Schema = nil
	golden(t, "full.golden", r)
}

// strip takes out what would only repeat the body.
func strip(parts []llm.Part) {
	for i := range parts {
		parts[i].Raw, parts[i].At = nil, llm.Span{}
		strip(parts[i].Parts)
	}
}

func TestDecodeErrors(t *testing.T) {
	const head = `{"model":"m","max_tokens":1,`
	message := func(content string) string {
		return head + `"messages":[{"role":"user","content":` + content + `}]}`
	}
	for _, c := range []struct{ body, code, param string }{
		{``, llm.CodeInvalidJSON, ""},
		{`[]`, llm.CodeInvalidRequest, ""},
		{head + `"messages":[]`, llm.CodeInvalidRequest, "messages"},
		{head + `"messages":[{]}`, llm.CodeInvalidJSON, "messages[0]"},
		{message(`"x"`) + `x`, llm.CodeInvalidJSON, ""},
		{head + `"model":"n"}`, llm.CodeInvalidJSON, "model"},
		{head + `"Model":"n"}`, llm.CodeInvalidJSON, "Model"},
		{`{"max_tokens":1,"messages":[{"role":"user","content":"x"}]}`, llm.CodeInvalidRequest, "model"},
		{`{"model":"","max_tokens":1}`, llm.CodeInvalidRequest, "model"},
		{`{"model":1}`, llm.CodeInvalidRequest, "model"},
		{`{"model":"m","max_tokens":1}`, llm.CodeInvalidRequest, "messages"},
		{`{"model":"m","messages":[{"role":"user","content":"x"}]}`, llm.CodeInvalidRequest, "max_tokens"},
		{`{"max_tokens":null}`, llm.CodeInvalidRequest, "max_tokens"},
		{`{"max_tokens":-1}`, llm.CodeInvalidRequest, "max_tokens"},
		{`{"max_tokens":1.5}`, llm.CodeInvalidRequest, "max_tokens"},
		{head + `"messages":{}}`, llm.CodeInvalidRequest, "messages"},
		{head + `"messages":[{"content":"x"}]}`, llm.CodeInvalidRequest, "messages[0]"},
		{head + `"messages":[{"role":"user"}]}`, llm.CodeInvalidRequest, "messages[0]"},
		{head + `"messages":[{"role":"tool","content":"x"}]}`, llm.CodeInvalidRequest, "messages[0].role"},
		{message(`null`), llm.CodeInvalidRequest, "messages[0].content"},
		{message(`["x"]`), llm.CodeInvalidRequest, "messages[0].content[0]"},
		{message(`[{"text":"x"}]`), llm.CodeInvalidRequest, "messages[0].content[0]"},
		{message(`[{"type":"text"}]`), llm.CodeInvalidRequest, "messages[0].content[0]"},
		{message(`[{"type":"text","text":1}]`), llm.CodeInvalidRequest, "messages[0].content[0].text"},
		{message(`[{"text":"x","type":"text","text":"y"}]`), llm.CodeInvalidJSON, "messages[0].content[0].text"},
		{message(`[{"type":"tool_use","id":"t","name":"f"}]`), llm.CodeInvalidRequest, "messages[0].content[0]"},
		{message(`[{"type":"tool_use","id":"t","name":"f","input":"{}"}]`), llm.CodeInvalidRequest, "messages[0].content[0].input"},
		{message(`[{"type":"tool_result","content":"x"}]`), llm.CodeInvalidRequest, "messages[0].content[0]"},
		{message(`[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":null}]}]`), llm.CodeInvalidRequest, "messages[0].content[0].content[0].text"},
		{message(`[{"type":"image","source":{"type":"new"}}]`), llm.CodeInvalidRequest, "messages[0].content[0].source"},
		{message(`[{"type":"image"}]`), llm.CodeInvalidRequest, "messages[0].content[0]"},
		{message(strings.Repeat(`[{"type":"tool_result","tool_use_id":"t","content":`, 5) + `""` + strings.Repeat(`}]`, 5)), llm.CodeInvalidRequest,
			"messages[0].content[0].content[0].content[0].content[0].content"},
		{head + `"tools":[{"input_schema":{}}]}`, llm.CodeInvalidRequest, "tools[0]"},
		{head + `"tools":[{"name":"f","input_schema":[]}]}`, llm.CodeInvalidRequest, "tools[0].input_schema"},
		{head + `"tool_choice":"auto"}`, llm.CodeInvalidRequest, "tool_choice"},
		{head + `"tool_choice":{"type":"some"}}`, llm.CodeInvalidRequest, "tool_choice.type"},
		{head + `"tool_choice":{"type":"tool"}}`, llm.CodeInvalidRequest, "tool_choice"},
		{head + `"stop_sequences":"x"}`, llm.CodeInvalidRequest, "stop_sequences"},
		{head + `"temperature":"0"}`, llm.CodeInvalidRequest, "temperature"},
		{head + `"stream":"yes"}`, llm.CodeInvalidRequest, "stream"},
		{head + `"thinking":{"type":"enabled","budget_tokens":"1"}}`, llm.CodeInvalidRequest, "thinking.budget_tokens"},
		{head + `"output_config":{"format":{"type":"json_object"}}}`, llm.CodeInvalidRequest, "output_config.format"},
		{head + `"metadata":{"user_id":1}}`, llm.CodeInvalidRequest, "metadata.user_id"},
	} {
		_, err := New().DecodeRequest(llm.OpChat, []byte(c.body))
		var e *llm.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: got %v", c.body, err)
			continue
		}
		if e.Status != 400 || e.Code != c.code || e.Param != c.param {
			t.Errorf("%s:\n got %d %s %q: %s\nwant 400 %s %q", c.body, e.Status, e.Code, e.Param, e.Message, c.code, c.param)
		}
	}
}

// What the dialect does not know is named, once for all elements of a list.
func TestExtra(t *testing.T) {
	r := decodeRequest(t, `{"model":"m","max_tokens":0,"new":{"a":1},"gone":null,"messages":[
		{"role":"user","content":[{"type":"text","text":"a","citations":[1]},{"type":"text","text":"b","citations":[2]}],"id":7},
		{"role":"user","content":"x"}],"thinking":{"type":"between_tools"},"output_config":{"task_budget":{"total":1}},
		"metadata":{"user_id":"u","team":"t"},"tools":[{"type":"custom","name":"f","defer_loading":true}]}`)
	var got []string
	for _, m := range r.Extra {
		got = append(got, m.Name+"="+string(r.Body.Raw[m.Value.Start:m.Value.End]))
	}
	want := []string{"max_tokens=0", `new={"a":1}`, "messages[].content[].citations=[1]", "messages[].id=7",
		`thinking.type="between_tools"`, `output_config.task_budget={"total":1}`, `metadata.team="t"`, "tools[].defer_loading=true"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// Counting tokens needs no limit of the output.
func TestCountRequest(t *testing.T) {
	r, err := New().DecodeRequest(llm.OpCountTokens, []byte(`{"model":"m","messages":[{"role":"user","content":"x"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	w, err := New().EncodeRequest(r, dialect.Target{Model: "m"})
	if err != nil || w.Path != "/v1/messages/count_tokens" {
		t.Errorf("got %+v, %v", w, err)
	}
	if _, err := New().DecodeRequest(llm.OpEmbeddings, nil); err == nil {
		t.Error("embeddings were decoded")
	}
}

func TestHeaders(t *testing.T) {
	r := decodeRequest(t, `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}]}`)
	r.Header = []llm.Header{{Name: "anthropic-version", Value: "2099-01-01"}, {Name: "anthropic-beta", Value: "a,b"}, {Name: "x-api-key", Value: "k"}}
	for _, c := range []struct {
		dialect string
		want    []llm.Header
	}{
		{llm.Anthropic, []llm.Header{{Name: "anthropic-version", Value: "2099-01-01"}, {Name: "anthropic-beta", Value: "a,b"}}},
		{llm.OpenAI, []llm.Header{{Name: "anthropic-version", Value: "2023-06-01"}}},
	} {
		r.Dialect = c.dialect
		w, err := New().EncodeRequest(r, dialect.Target{Model: "m"})
		if err != nil || !slices.Equal(w.Header, c.want) {
			t.Errorf("%s: got %v, %v", c.dialect, w.Header, err)
		}
	}
}

// Reasoning with our own mark in place of a signature, or with a signature of
// another provider, is taken out again.
func TestUnsigned(t *testing.T) {
	const own = `{"type":"thinking","thinking":"r","signature":"` + unsigned + `"}`
	const other = `{"type":"thinking","thinking":"","signature":"attache:responses:x"}`
	const signed = `{"type":"thinking","thinking":"s","signature":"x"}`
	const said = `{"type":"text","text":"a"}`
	for _, c := range []struct{ in, want string }{
		{own + ` , ` + said, said},
		{own + `,` + own + `,` + said + `,` + own + ` ,` + own, said},
		{said + ` , ` + own + `, ` + said, said + `, ` + said},
		{signed + `,` + own, signed},
		{other + ` , ` + own + `,` + said, said},
		{signed + `,` + other, signed},
		{own, `{"type":"text","text":"r"}`},
		{own + ` , ` + own, `{"type":"text","text":"r"}`},
		{signed + `,` + said, signed + `,` + said},
	} {
		body := `{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[ ` + c.in + ` ]},{"role":"user","content":"x"}]}`
		r := decodeRequest(t, body)
		w, err := New().EncodeRequest(r, dialect.Target{Model: "m"})
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.Replace(body, c.in, c.want, 1); string(w.Body) != want {
			t.Errorf("%s:\n got %s\nwant %s", c.in, w.Body, want)
		}
		for _, p := range r.Messages[0].Parts {
			if p.Signature == unsigned {
				t.Error("the mark is in the canonical form")
			}
		}
	}
}

// Changes that policies and guards have made go into the client's own bytes.
func TestEdits(t *testing.T) {
	r := decodeRequest(t, `{"model":"m", "max_tokens":100,"messages":[{"role":"user","content":"my key"}]}`)
	at := r.Messages[0].Parts[0].At
	r.Edits = append(r.Edits, llm.Edit{At: at, New: []byte(`"my [key]"`)})
	r.Sets = []llm.Set{{Name: New().Member("max_tokens")[0], Value: []byte("50")}}
	w, err := New().EncodeRequest(r, dialect.Target{Model: "n"})
	const want = `{"model":"n", "max_tokens":50,"messages":[{"role":"user","content":"my [key]"}]}`
	if err != nil || string(w.Body) != want {
		t.Errorf("got %s, %v", w.Body, err)
	}
}
