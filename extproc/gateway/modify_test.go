package gateway

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/anthropic"
	"github.com/attache-gateway/attache/extproc/dialect/bedrock"
	"github.com/attache-gateway/attache/extproc/dialect/gemini"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/dialect/openai"
	"github.com/attache-gateway/attache/extproc/dialect/responses"
	"github.com/attache-gateway/attache/extproc/llm"
)

// asks are requests with all the fields that each format has, and with none.
var asks = map[string]struct {
	dialect    dialect.Dialect
	full, bare string
}{
	llm.OpenAI: {openai.New(),
		`{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f"}}],"max_tokens":100,"n":2,"logprobs":true,"top_logprobs":5,"temperature":1.5,"top_p":0.9,"top_k":40,"seed":1,"frequency_penalty":1,"presence_penalty":1,"stop":["a"],"user":"jane","metadata":{"k":"v"},"verbosity":"high","reasoning_effort":"high","parallel_tool_calls":true,"tool_choice":{"type":"function","function":{"name":"zz"}}}`,
		`{"model":"m","messages":[{"role":"user","content":"x"}]}`},
	llm.Responses: {responses.New(),
		`{"model":"m","input":"x","tools":[{"type":"function","name":"f"}],"max_output_tokens":100,"include":["message.output_text.logprobs","x"],"top_logprobs":5,"temperature":1.5,"top_p":0.9,"user":"jane","metadata":{"k":"v"},"text":{"verbosity":"high"},"reasoning":{"effort":"high"},"parallel_tool_calls":true,"tool_choice":{"type":"function","name":"zz"}}`,
		`{"model":"m","input":"x"}`},
	llm.Anthropic: {anthropic.New(),
		`{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"tool","name":"zz"},"max_tokens":100,"temperature":1.5,"top_p":0.9,"top_k":40,"stop_sequences":["a"],"metadata":{"user_id":"jane"},"output_config":{"effort":"high"}}`,
		`{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":100}`},
	llm.Gemini: {gemini.New(),
		`{"contents":[{"role":"user","parts":[{"text":"x"}]}],"generation_config":{"maxOutputTokens":100,"candidateCount":2,"responseLogprobs":true,"logprobs":5,"temperature":1.5,"top_p":0.9,"topK":40,"seed":1,"frequencyPenalty":1,"presencePenalty":1,"stopSequences":["a"],"thinkingConfig":{"thinkingLevel":"high"}},"labels":{"k":"v"},"tools":[{"functionDeclarations":[{"name":"f"}]}],"tool_config":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["zz"]}}}`,
		`{"contents":[{"role":"user","parts":[{"text":"x"}]}]}`},
	llm.Bedrock: {bedrock.New(),
		`{"messages":[{"role":"user","content":[{"text":"x"}]}],"inferenceConfig":{"maxTokens":100,"temperature":1.5,"topP":0.9,"stopSequences":["a"]},"requestMetadata":{"user":"jane","k":"v"},"additionalModelRequestFields":{"top_k":40,"output_config":{"effort":"high"}},"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object"}}}}],"toolChoice":{"tool":{"name":"zz"}}}}`,
		`{"messages":[{"role":"user","content":[{"text":"x"}]}]}`},
}

// modified is what a provider gets of a client's request. Members stand in both
// without the tools, which are not modified.
func modified(t *testing.T, client, body, provider string, ms ...Modification) string {
	t.Helper()
	d := asks[client].dialect
	r, err := d.DecodeRequest(llm.OpChat, []byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if err := apply(ms, r, d); err != nil {
		t.Fatal(err)
	}
	if _, err := d.DecodeRequest(llm.OpChat, r.Patch().Bytes()); err != nil {
		t.Errorf("%s: %v", r.Patch().Bytes(), err)
	}
	w, err := asks[provider].dialect.EncodeRequest(r, dialect.Target{Model: "m", Rules: llm.Rules{Reasons: true}})
	if err != nil {
		return err.Error()
	}
	return string(w.Body)
}

// TestModifyFields has each field of each format, removed, set and limited: in
// the client's own bytes and on the way to all other formats.
func TestModifyFields(t *testing.T) {
	// What is left of a field that is set, in each format that has it.
	marks := map[string]map[string]string{
		"max_tokens":        {llm.OpenAI: `_tokens":77`, llm.Responses: `max_output_tokens":77`, llm.Anthropic: `max_tokens":77`, llm.Gemini: `maxOutputTokens":77`, llm.Bedrock: `maxTokens":77`},
		"temperature":       {llm.OpenAI: `temperature":0.25`, llm.Responses: `temperature":0.25`, llm.Anthropic: `temperature":0.25`, llm.Gemini: `temperature":0.25`, llm.Bedrock: `temperature":0.25`},
		"top_p":             {llm.OpenAI: `top_p":0.25`, llm.Responses: `top_p":0.25`, llm.Anthropic: `top_p":0.25`, llm.Gemini: `0.25`, llm.Bedrock: `topP":0.25`},
		"top_k":             {llm.OpenAI: `top_k":7`, llm.Anthropic: `top_k":7`, llm.Gemini: `topK":7`, llm.Bedrock: `top_k":7`},
		"seed":              {llm.OpenAI: `seed":7`, llm.Gemini: `seed":7`},
		"frequency_penalty": {llm.OpenAI: `frequency_penalty":0.25`, llm.Gemini: `frequencyPenalty":0.25`},
		"presence_penalty":  {llm.OpenAI: `presence_penalty":0.25`, llm.Gemini: `presencePenalty":0.25`},
		"stop":              {llm.OpenAI: `stop":["zz"]`, llm.Anthropic: `stop_sequences":["zz"]`, llm.Gemini: `stopSequences":["zz"]`, llm.Bedrock: `stopSequences":["zz"]`},
		"user":              {llm.OpenAI: `:"zz"`, llm.Responses: `:"zz"`, llm.Anthropic: `user_id":"zz"`, llm.Bedrock: `user":"zz"`},
		"n":                 {llm.OpenAI: `n":7`, llm.Gemini: `candidateCount":7`},
		"logprobs":          {llm.OpenAI: `logprobs":true`, llm.Gemini: `responseLogprobs":true`, llm.Responses: `message.output_text.logprobs`},
		"top_logprobs":      {llm.OpenAI: `top_logprobs":7`, llm.Gemini: `logprobs":7`, llm.Responses: `top_logprobs":7`},
		"verbosity":         {llm.OpenAI: `verbosity":"low"`, llm.Responses: `verbosity":"low"`},
		"reasoning_effort":  {llm.OpenAI: `reasoning_effort":"low"`, llm.Responses: `effort":"low"`, llm.Anthropic: `effort":"low"`, llm.Gemini: `thinkingLevel":"low"`, llm.Bedrock: `effort":"low"`},

		"parallel_tool_calls": {llm.OpenAI: `parallel_tool_calls":false`, llm.Responses: `parallel_tool_calls":false`, llm.Anthropic: `disable_parallel_tool_use":true`},
		"tool_choice":         {llm.OpenAI: `tool_choice":"required"`, llm.Responses: `tool_choice":"required"`, llm.Anthropic: `tool_choice":{"type":"any"`, llm.Gemini: `unctionCallingConfig":{"mode":"ANY"`, llm.Bedrock: `toolChoice":{"any":{}}`},
		"metadata":            {},
	}
	values := map[string]string{"max_tokens": "77", "temperature": "0.25", "top_p": "0.25", "top_k": "7", "seed": "7", "frequency_penalty": "0.25",
		"presence_penalty": "0.25", "stop": `["zz"]`, "user": `"zz"`, "n": "7", "logprobs": "true", "top_logprobs": "7", "verbosity": `"low"`, "reasoning_effort": `"low"`, "parallel_tool_calls": "false", "tool_choice": `"required"`}
	for name := range fields {
		if marks[name] == nil {
			t.Errorf("%s is not tried", name)
		}
	}
	for field, mark := range marks {
		for client := range asks {
			// Removed, nothing is left of what the client said, anywhere.
			for provider := range asks {
				got := modified(t, client, fullFor(client, provider, field), provider, Modification{Path: field, Remove: true})
				if trace := traces[field]; strings.Contains(got, trace) && !(field == "max_tokens" && (client == llm.Anthropic || provider == llm.Anthropic)) {
					t.Errorf("%s of %s removed, for %s: %s", field, client, provider, got)
				}
			}
			value, inClient := values[field], mark[client] != ""
			if value == "" || !inClient && (fields[field].shows || fields[field].extra || fields[field].fits != nil) {
				continue
			}
			// Set, it is in the client's own format and, where both have it, in
			// the provider's.
			for provider, want := range mark {
				if client != provider && ofModels[field+" "+provider] {
					continue
				}
				if got := modified(t, client, fullFor(client, provider, field), provider, Modification{Path: field, Value: []byte(value)}); !strings.Contains(got, want) {
					t.Errorf("%s of %s set, for %s: %s", field, client, provider, got)
				}
			}
		}
	}
}

// ofModels are fields that depend on the target's model or on other fields, where
// the format is not the client's.
var ofModels = map[string]bool{
	"top_k openai": true, "top_k bedrock": true, "top_p anthropic": true, "temperature anthropic": true, "top_p bedrock": true,
	"reasoning_effort bedrock": true, "reasoning_effort anthropic": true, "reasoning_effort gemini": true, "user bedrock": true,
}

// fullFor is a client's full request without what cannot be said in the
// provider's format, unless that is what is tried.
func fullFor(client, provider, field string) string {
	body := asks[client].full
	if client != provider && field != "n" {
		body = strings.NewReplacer(`"n":2,`, "", `"candidateCount":2,`, "").Replace(body)
	}
	if client != provider && field != "stop" {
		body = strings.NewReplacer(`"stop":["a"],`, "", `"stop_sequences":["a"],`, "", `,"stopSequences":["a"]`, "").Replace(body)
	}
	return body
}

// traces are what would be left of a field in what a provider gets.
var traces = map[string]string{
	"max_tokens": `okens":1`, "temperature": "1.5", "top_p": "0.9", "top_k": "40", "seed": `"seed"`, "frequency_penalty": "requency",
	"presence_penalty": "resence", "stop": `["a"]`, "user": "jane", "n": `"n"`, "logprobs": "ogprobs", "top_logprobs": `logprobs":5`,
	"metadata": `"k":"v"`, "verbosity": "verbosity", "reasoning_effort": `effort":"high"`, "parallel_tool_calls": "parallel", "tool_choice": "zz",
}

// TestModifyBare: what the client has not said is added where its format has it,
// and a limit is no reason to ask for more.
func TestModifyBare(t *testing.T) {
	seven := int64(7)
	for _, tt := range []struct {
		client string
		m      Modification
		want   string // besides the bare request; empty: nothing
	}{
		{llm.OpenAI, Modification{Path: "max_tokens", Max: &seven}, `"max_completion_tokens":7`},
		{llm.Responses, Modification{Path: "max_tokens", Max: &seven}, `"max_output_tokens":7`},
		{llm.Gemini, Modification{Path: "max_tokens", Max: &seven}, `"generationConfig":{"maxOutputTokens":7}`},
		{llm.Bedrock, Modification{Path: "max_tokens", Max: &seven}, `"inferenceConfig":{"maxTokens":7}`},
		{llm.OpenAI, Modification{Path: "n", Max: &seven}, ``},
		{llm.OpenAI, Modification{Path: "top_logprobs", Max: &seven}, ``},
		{llm.OpenAI, Modification{Path: "top_logprobs", Value: []byte("7")}, ``},
		{llm.Anthropic, Modification{Path: "n", Value: []byte("7")}, ``},
		{llm.Anthropic, Modification{Path: "user", Value: []byte(`"u"`)}, `"metadata":{"user_id":"u"}`},
		{llm.Anthropic, Modification{Path: "reasoning_effort", Value: []byte(`"low"`)}, `"output_config":{"effort":"low"}`},
		{llm.Gemini, Modification{Path: "reasoning_effort", Value: []byte(`"low"`)}, ``},
		{llm.Responses, Modification{Path: "logprobs", Value: []byte("true")}, `"include":["message.output_text.logprobs"]`},
		{llm.OpenAI, Modification{Path: "parallel_tool_calls", Value: []byte("false")}, ``},
	} {
		bare := asks[tt.client].bare
		if tt.want != "" {
			bare = strings.TrimSuffix(bare, "}") + "," + tt.want + "}"
		}
		if got := modified(t, tt.client, asks[tt.client].bare, tt.client, tt.m); got != bare && !sameJSON(t, got, bare) {
			t.Errorf("%s, %s: %s", tt.client, tt.m.Path, got)
		}
	}
}

// TestModifyToolChoice: each choice in each format, and what stands beside it.
func TestModifyToolChoice(t *testing.T) {
	const (
		openAI    = `{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f"}}]`
		other     = `{"model":"m","input":"x","tools":[{"type":"function","name":"f"}]`
		messages  = `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],"tools":[{"name":"f","input_schema":{"type":"object"}}]`
		contents  = `{"contents":[{"role":"user","parts":[{"text":"x"}]}],"tools":[{"functionDeclarations":[{"name":"f"}]}]`
		talk      = `{"messages":[{"role":"user","content":[{"text":"x"}]}]`
		tools     = `"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object"}}}}]`
		withCalls = `{"messages":[{"role":"user","content":[{"text":"x"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"1","name":"f","input":{}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"1","content":[{"text":"y"}]}}]}]`
	)
	for _, tt := range []struct{ client, sent, value, want string }{
		{llm.OpenAI, openAI + `}`, `"none"`, openAI + `,"tool_choice":"none"}`},
		{llm.OpenAI, openAI + `,"tool_choice":"auto"}`, `{"name":"f"}`, openAI + `,"tool_choice":{"type":"function","function":{"name":"f"}}}`},
		{llm.OpenAI, openAI + `,"tool_choice":"auto"}`, ``, openAI + `}`},
		{llm.OpenAI, `{"model":"m","messages":[{"role":"user","content":"x"}]}`, `"none"`, `{"model":"m","messages":[{"role":"user","content":"x"}]}`},
		{llm.Responses, other + `}`, `{"name":"f"}`, other + `,"tool_choice":{"type":"function","name":"f"}}`},
		{llm.Anthropic, messages + `}`, `"none"`, messages + `,"tool_choice":{"type":"none"}}`},
		{llm.Anthropic, messages + `,"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}`, `{"name":"f"}`, messages + `,"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true}}`},
		{llm.Anthropic, messages + `,"tool_choice":{"type":"any","disable_parallel_tool_use":true}}`, ``, messages + `,"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}`},
		{llm.Anthropic, messages + `,"tool_choice":{"type":"any"}}`, ``, messages + `}`},
		{llm.Gemini, contents + `}`, `"none"`, contents + `,"toolConfig":{"functionCallingConfig":{"mode":"NONE"}}}`},
		{llm.Gemini, contents + `,"tool_config":{"function_calling_config":{"mode":"ANY"}}}`, `{"name":"f"}`, contents + `,"tool_config":{"function_calling_config":{"mode":"ANY","allowedFunctionNames":["f"]}}}`},
		{llm.Bedrock, talk + `,"toolConfig":{` + tools + `}}`, `{"name":"f"}`, talk + `,"toolConfig":{` + tools + `,"toolChoice":{"tool":{"name":"f"}}}}`},
		{llm.Bedrock, talk + `,"toolConfig":{` + tools + `,"toolChoice":{"any":{}}}}`, `"none"`, talk + `}`},
		{llm.Bedrock, withCalls + `,"toolConfig":{` + tools + `,"toolChoice":{"any":{}}}}`, `"none"`, withCalls + `,"toolConfig":{` + tools + `}}`},
	} {
		m := Modification{Path: "tool_choice", Value: []byte(tt.value)}
		if tt.value == "" {
			m = Modification{Path: "tool_choice", Remove: true}
		}
		if got := modified(t, tt.client, tt.sent, tt.client, m); !sameJSON(t, got, tt.want) {
			t.Errorf("%s, %s: %s\nwant %s", tt.client, tt.value, got, tt.want)
		}
	}
	// What is passed on is changed where it is, in the words of its format.
	for sent, want := range map[string]string{`{"x":1}`: `{"x":1}`, `{"tool_choice":"auto"}`: `{"tool_choice":{"type":"function","name":"f"}}`} {
		d := responses.New()
		in := jsonx.NewReader([]byte(sent))
		members, err := in.Members(func([]byte) error { _, err := in.Skip(); return err })
		r := &llm.Request{Op: llm.OpForward, Dialect: llm.Responses, Body: llm.Body{Raw: []byte(sent), Members: members}}
		if err == nil {
			err = apply([]Modification{{Path: "tool_choice", Value: []byte(`{"name":"f"}`)}}, r, d)
		}
		if got := string(r.Patch().Bytes()); err != nil || got != want {
			t.Errorf("%s: %s, %v", sent, got, err)
		}
	}
}

// TestModifyLimit: a limit holds for each member that a server might read.
func TestModifyLimit(t *testing.T) {
	most := int64(50)
	limit := Modification{Path: "max_tokens", Max: &most}
	head := `{"model":"m","messages":[{"role":"user","content":"x"}]`
	for sent, want := range map[string]string{
		`,"max_tokens":20}`:                              `,"max_tokens":20}`,
		`,"max_tokens":90}`:                              `,"max_tokens":50}`,
		`,"max_completion_tokens":10,"max_tokens":90}`:   `,"max_completion_tokens":10,"max_tokens":50}`,
		`,"max_completion_tokens":90,"max_tokens":5000}`: `,"max_completion_tokens":50,"max_tokens":50}`,
	} {
		if got := modified(t, llm.OpenAI, head+sent, llm.OpenAI, limit); got != head+want {
			t.Errorf("%s: %s", sent, got)
		}
	}
	one := int64(1)
	if got := modified(t, llm.OpenAI, head+`,"temperature":1.5}`, llm.OpenAI, Modification{Path: "temperature", Max: &one}); got != head+`,"temperature":1}` {
		t.Error(got)
	}
	if got := modified(t, llm.OpenAI, head+`,"n":5,"top_logprobs":9,"logprobs":true}`, llm.OpenAI, Modification{Path: "n", Max: &one}, Modification{Path: "logprobs", Value: []byte("false")}); got != head+`,"n":1}` {
		t.Error(got)
	}
}

// TestModifyOperations: a field stays out of operations that do not have it.
func TestModifyOperations(t *testing.T) {
	most := int64(50)
	all := []Modification{{Path: "max_tokens", Max: &most}, {Path: "temperature", Value: []byte("0")}, {Path: "user", Value: []byte(`"u"`)}}
	for _, tt := range []struct {
		dialect    dialect.Dialect
		op         llm.Op
		body, want string
	}{
		{openai.New(), llm.OpEmbeddings, `{"model":"m","input":"x"}`, `{"model":"m","input":"x","safety_identifier":"u"}`},
		{openai.New(), llm.OpEmbeddings, `{"model":"m","input":"x","user":"jane"}`, `{"model":"m","input":"x","user":"u"}`},
		{anthropic.New(), llm.OpCountTokens, `{"model":"m","messages":[{"role":"user","content":"x"}]}`, `{"model":"m","messages":[{"role":"user","content":"x"}]}`},
		{gemini.New(), llm.OpEmbeddings, `{"content":{"parts":[{"text":"x"}]}}`, `{"content":{"parts":[{"text":"x"}]}}`},
	} {
		r, err := tt.dialect.DecodeRequest(tt.op, []byte(tt.body))
		if err == nil {
			err = apply(all, r, tt.dialect)
		}
		if err != nil {
			t.Errorf("%s: %v", tt.body, err)
		} else if got := string(r.Patch().Bytes()); got != tt.want {
			t.Errorf("%s: %s", tt.body, got)
		}
	}
}

func TestModificationCheck(t *testing.T) {
	one := int64(1)
	for _, tt := range []struct {
		m    Modification
		want string // in the error
	}{
		{Modification{Path: "messages", Remove: true}, "/messages cannot be changed; what can be is /frequency_penalty, "},
		{Modification{Path: "user", Max: &one}, "/user is no number"},
		{Modification{Path: "metadata", Value: []byte("{}")}, "/metadata can be removed only"},
		{Modification{Path: "max_tokens", Value: []byte(`"x"`)}, "/max_tokens: value: "},
		{Modification{Path: "max_tokens", Value: []byte("0")}, "want at least 1"},
		{Modification{Path: "stop", Value: []byte(`"x"`)}, "/stop: value: "},
		{Modification{Path: "reasoning_effort", Value: []byte(`"much"`)}, "want none, minimal"},
		{Modification{Path: "tool_choice", Value: []byte(`"any"`)}, "want auto, none, required, have"},
		{Modification{Path: "tool_choice", Value: []byte(`{"name":""}`)}, "want auto, none, required, or"},
		{Modification{Path: "tool_choice", Value: []byte(`{"type":"x"}`)}, "want auto, none, required, or"},
		{Modification{Path: "tool_choice", Value: []byte(`{"name":"f"}`)}, ""},
		{Modification{Value: []byte("1")}, ""},
		{Modification{Path: "temperature", Value: []byte("0.5")}, ""},
		{Modification{Path: "stop"}, ""},
	} {
		err := tt.m.Check()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v", tt.m, err)
		}
	}
	err := apply([]Modification{{Path: "messages", Remove: true}}, &llm.Request{}, openai.New())
	if p := (*PolicyError)(nil); !errors.As(err, &p) || p.Fault != FaultDecode {
		t.Errorf("%v", err)
	}
	if names := slices.Sorted(maps.Keys(fields)); !slices.Equal(names, sortedNames(fields)) {
		t.Error(names)
	}
}
