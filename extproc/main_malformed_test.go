package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// A malformed request is refused with a status and a code, and names the member
// at fault. want is these three, of which the last may be empty.
type malformed struct {
	name, body, want string
}

// prompt is in every request. No answer and no line of the log repeats it.
const prompt = "my card is 4111 1111 1111 1111"

// The members that a good request to either endpoint has. Rows that are not a
// whole body begin with a comma and follow them.
const (
	chatStart     = `{"messages":[{"role":"user","content":"` + prompt + `"}],"model":"openai/gpt-4o"`
	crossingStart = `{"messages":[{"role":"user","content":"` + prompt + `"}],"model":"anthropic/claude-sonnet-4-5"`
	messageStart  = `{"messages":[{"role":"user","content":"` + prompt + `"}],"max_tokens":9,"model":"anthropic/claude-sonnet-4-5"`
	leavingStart  = `{"messages":[{"role":"user","content":"` + prompt + `"}],"max_tokens":9,"model":"openai/gpt-4o"`
)

var deep = strings.Repeat("[", 300) + strings.Repeat("]", 300)

// chatRows are requests for chat completions that no provider would take.
var chatRows = []malformed{
	{"empty", ``, "400 invalid_json"},
	{"blank", " \n", "400 invalid_json"},
	{"text", prompt, "400 invalid_json"},
	{"truncated", chatStart, "400 invalid_json model"},
	{"truncated in a string", `{"messages":[{"role":"user","content":"` + prompt, "400 invalid_json messages[0].content"},
	{"data behind", chatStart + `} x`, "400 invalid_json"},
	{"two bodies", chatStart + `}` + chatStart + `}`, "400 invalid_json"},
	{"comma at the end", chatStart + `,}`, "400 invalid_json model"},
	{"single quotes", `{'model':'openai/gpt-4o'}`, "400 invalid_json"},
	{"list", `[` + chatStart + `}]`, "400 invalid_request"},
	{"string", `"` + prompt + `"`, "400 invalid_request"},
	{"null", `null`, "400 invalid_request"},
	{"number", `42`, "400 invalid_request"},
	{"form", `model=gpt-4o&prompt=` + prompt, "400 invalid_json"},
	{"model twice", `,"model":"openai/gpt-4o"`, "400 invalid_json model"},
	{"content twice", `{"model":"openai/gpt-4o","messages":[{"role":"user","content":"a","content":"` + prompt + `"}]}`, "400 invalid_json messages[0].content"},
	{"escaped name twice", `,"mod\u0065l":"openai/gpt-4o"`, "400 invalid_json model"},
	{"twice in what is unknown", `,"x":{"y":[{"z":1,"z":2}]}`, "400 invalid_json x.y[0].z"},
	{"twice in a schema", `,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","type":"array"}}}]`, "400 invalid_json tools[0].function.parameters.type"},
	{"model in capitals", `,"Model":"openai/gpt-4o"`, "400 invalid_json Model"},
	{"content in capitals", `{"model":"openai/gpt-4o","messages":[{"role":"user","content":"a","CONTENT":"` + prompt + `"}]}`, "400 invalid_json messages[0].CONTENT"},
	{"no UTF-8", `{"model":"openai/gpt-4o","messages":[{"role":"user","content":"` + prompt + "\xff\"}]}", "400 invalid_json messages[0].content"},
	{"overlong UTF-8", `{"model":"openai/gpt-4o","messages":[{"role":"user","content":"` + prompt + "\xc0\xaf\"}]}", "400 invalid_json messages[0].content"},
	{"line feed in a string", `{"model":"openai/gpt-4o","messages":[{"role":"user","content":"` + prompt + "\n\"}]}", "400 invalid_json messages[0].content"},
	{"unknown escape", `,"user":"\x41"`, "400 invalid_json user"},
	{"too deep", `,"x":` + deep, "400 invalid_json x" + strings.Repeat("[0]", 85)},
	{"NaN", `,"temperature":NaN`, "400 invalid_json temperature"},
	{"leading zero", `,"temperature":01`, "400 invalid_json temperature"},
	{"number with underscores", `,"max_tokens":1_000`, "400 invalid_json max_tokens"},
	{"huge number", `,"max_tokens":9223372036854775808`, "400 invalid_request max_tokens"},
	{"huge exponent", `,"max_tokens":1e400`, "400 invalid_request max_tokens"},
	{"half a token", `,"max_tokens":1.5`, "400 invalid_request max_tokens"},
	{"negative tokens", `,"max_completion_tokens":-1`, "400 invalid_request max_completion_tokens"},
	{"tokens as a string", `,"max_tokens":"100"`, "400 invalid_request max_tokens"},
	{"temperature as a string", `,"temperature":"hot"`, "400 invalid_request temperature"},
	{"stream as a string", `,"stream":"true"`, "400 invalid_request stream"},
	{"stream as a number", `,"stream":1`, "400 invalid_request stream"},
	{"stream options as a bool", `,"stream":true,"stream_options":true`, "400 invalid_request stream_options"},
	{"stop as a number", `,"stop":7`, "400 invalid_request stop"},
	{"stop with a number", `,"stop":["a",7]`, "400 invalid_request stop[1]"},
	{"format as a string", `,"response_format":"json"`, "400 invalid_request response_format"},
	{"n as a string", `,"n":"2"`, "400 invalid_request n"},
	{"no answer wanted", `,"n":0`, "400 invalid_request n"},
	{"no messages", `{"model":"openai/gpt-4o"}`, "400 invalid_request messages"},
	{"null messages", `{"model":"openai/gpt-4o","messages":null}`, "400 invalid_request messages"},
	{"empty messages", `{"model":"openai/gpt-4o","messages":[]}`, "400 invalid_request messages"},
	{"messages as an object", `{"model":"openai/gpt-4o","messages":{"role":"user","content":"a"}}`, "400 invalid_request messages"},
	{"messages as a string", `{"model":"openai/gpt-4o","messages":"` + prompt + `"}`, "400 invalid_request messages"},
	{"message as a string", `{"model":"openai/gpt-4o","messages":["` + prompt + `"]}`, "400 invalid_request messages[0]"},
	{"no role", `{"model":"openai/gpt-4o","messages":[{"content":"` + prompt + `"}]}`, "400 invalid_request messages[0].role"},
	{"unknown role", `{"model":"openai/gpt-4o","messages":[{"role":"` + prompt + `","content":"a"}]}`, "400 invalid_request messages[0].role"},
	{"role as a number", `{"model":"openai/gpt-4o","messages":[{"role":1,"content":"a"}]}`, "400 invalid_request messages[0].role"},
	{"content as a number", `{"model":"openai/gpt-4o","messages":[{"role":"user","content":7}]}`, "400 invalid_request messages[0].content"},
	{"content as an object", `{"model":"openai/gpt-4o","messages":[{"role":"user","content":{"type":"text","text":"a"}}]}`, "400 invalid_request messages[0].content"},
	{"part as a string", `{"model":"openai/gpt-4o","messages":[{"role":"user","content":["` + prompt + `"]}]}`, "400 invalid_request messages[0].content[0]"},
	{"part without type", `{"model":"openai/gpt-4o","messages":[{"role":"user","content":[{"text":"a"}]}]}`, "400 invalid_request messages[0].content[0].type"},
	{"text part without text", `{"model":"openai/gpt-4o","messages":[{"role":"user","content":[{"type":"text"}]}]}`, "400 invalid_request messages[0].content[0].text"},
	{"text as a number", `{"model":"openai/gpt-4o","messages":[{"role":"user","content":[{"type":"text","text":7}]}]}`, "400 invalid_request messages[0].content[0].text"},
	{"image without link", `{"model":"openai/gpt-4o","messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]}`, "400 invalid_request messages[0].content[0].image_url.url"},
	{"call without id", `{"model":"openai/gpt-4o","messages":[{"role":"assistant","tool_calls":[{"type":"function","function":{"name":"f","arguments":"{}"}}]}]}`, "400 invalid_request messages[0].tool_calls[0].id"},
	{"tools as an object", `,"tools":{"type":"function"}`, "400 invalid_request tools"},
	{"tool as a string", `,"tools":["f"]`, "400 invalid_request tools[0]"},
	{"tool without function", `,"tools":[{"type":"function"}]`, "400 invalid_request tools[0].function.name"},
	{"tool without name", `,"tools":[{"type":"function","function":{"description":"a"}}]`, "400 invalid_request tools[0].function.name"},
	{"schema as a string", `,"tools":[{"type":"function","function":{"name":"f","parameters":"{}"}}]`, "400 invalid_request tools[0].function.parameters"},
	{"unknown tool choice", `,"tool_choice":"` + prompt + `"`, "400 invalid_request tool_choice"},
	{"tool choice as a number", `,"tool_choice":7`, "400 invalid_request tool_choice"},
	{"no model", `{"messages":[{"role":"user","content":"a"}]}`, "400 invalid_request model"},
	{"empty model", `{"model":"","messages":[{"role":"user","content":"a"}]}`, "400 invalid_request model"},
	{"model as a number", `{"model":4,"messages":[{"role":"user","content":"a"}]}`, "400 invalid_request model"},
	{"unknown model", `{"model":"nobody","messages":[{"role":"user","content":"a"}]}`, "404 model_not_found model"},
	{"unknown provider", `{"model":"nobody/gpt-4o","messages":[{"role":"user","content":"a"}]}`, "404 model_not_found model"},
	{"provider alone", `{"model":"openai/","messages":[{"role":"user","content":"a"}]}`, "404 model_not_found model"},
	{"unknown in a chain", `{"model":"openai/gpt-4o,nobody","messages":[{"role":"user","content":"a"}]}`, "404 model_not_found model"},
	{"gap in a chain", `{"model":"openai/gpt-4o,,openai/gpt-4o","messages":[{"role":"user","content":"a"}]}`, "404 model_not_found model"},
	{"long chain", `{"model":"` + strings.Repeat("openai/gpt-4o,", 20) + `openai/gpt-4o","messages":[{"role":"user","content":"a"}]}`, "400 invalid_request model"},
}

// crossingRows are requests that OpenAI might take and Anthropic cannot.
var crossingRows = []malformed{
	{"two answers", `,"n":2`, "400 unsupported_feature n"},
	{"sound", `,"modalities":["text","audio"],"audio":{"voice":"alloy","format":"wav"}`, "400 unsupported_feature modalities"},
	{"sound in a message", `{"model":"anthropic/claude-sonnet-4-5","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}]}]}`, "400 unsupported_feature messages[0].content[0]"},
	{"web search", `,"web_search_options":{}`, "400 unsupported_feature web_search_options"},
	{"functions", `,"functions":[{"name":"f"}]`, "400 unsupported_feature functions"},
	{"tool of another kind", `,"tools":[{"type":"custom","custom":{"name":"f"}}]`, "400 unsupported_feature tools[0]"},
	{"uploaded file", `{"model":"anthropic/claude-sonnet-4-5","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}}]}]}`, "400 unsupported_feature messages[0].content[0]"},
	{"image that is none", `{"model":"anthropic/claude-sonnet-4-5","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:text/plain;base64,AAAA"}}]}]}`, "400 unsupported_feature messages[0].content[0]"},
	{"image without bytes", `{"model":"anthropic/claude-sonnet-4-5","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,"}}]}]}`, "400 invalid_request messages[0].content[0]"},
	{"image by another protocol", `{"model":"anthropic/claude-sonnet-4-5","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"ftp://example.com/cat.png"}}]}]}`, "400 invalid_request messages[0].content[0]"},
}

// messageRows are requests for messages that no provider would take.
var messageRows = []malformed{
	{"empty", ``, "400 invalid_json"},
	{"truncated", messageStart, "400 invalid_json model"},
	{"data behind", messageStart + `}}`, "400 invalid_json"},
	{"list", `[]`, "400 invalid_request"},
	{"model twice", `,"model":"smart"`, "400 invalid_json model"},
	{"max_tokens in capitals", `,"MAX_TOKENS":100000`, "400 invalid_json MAX_TOKENS"},
	{"twice in a block", `,"system":[{"type":"text","text":"a","text":"` + prompt + `"}]`, "400 invalid_json system[0].text"},
	{"no UTF-8", `,"system":"` + prompt + "\xff\"", "400 invalid_json system"},
	{"too deep", `,"metadata":{"x":` + deep + `}`, "400 invalid_json metadata.x" + strings.Repeat("[0]", 82)},
	{"no limit", `{"model":"anthropic/claude-sonnet-4-5","messages":[{"role":"user","content":"a"}]}`, "400 invalid_request max_tokens"},
	{"negative limit", `{"model":"anthropic/claude-sonnet-4-5","max_tokens":-1,"messages":[{"role":"user","content":"a"}]}`, "400 invalid_request max_tokens"},
	{"limit as a string", `{"model":"anthropic/claude-sonnet-4-5","max_tokens":"9","messages":[{"role":"user","content":"a"}]}`, "400 invalid_request max_tokens"},
	{"empty messages", `{"model":"anthropic/claude-sonnet-4-5","max_tokens":9,"messages":[]}`, "400 invalid_request messages"},
	{"messages as an object", `{"model":"anthropic/claude-sonnet-4-5","max_tokens":9,"messages":{}}`, "400 invalid_request messages"},
	{"no messages", `{"model":"anthropic/claude-sonnet-4-5","max_tokens":9}`, "400 invalid_request messages"},
	{"unknown role", `{"model":"anthropic/claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"tool","content":"a"}]}`, "400 invalid_request messages[0].role"},
	{"no role", `{"model":"anthropic/claude-sonnet-4-5","max_tokens":9,"messages":[{"content":"a"}]}`, "400 invalid_request messages[0]"},
	{"no content", `{"model":"anthropic/claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"user"}]}`, "400 invalid_request messages[0]"},
	{"content as a number", `{"model":"anthropic/claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"user","content":7}]}`, "400 invalid_request messages[0].content"},
	{"block without type", `{"model":"anthropic/claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"user","content":[{"text":"a"}]}]}`, "400 invalid_request messages[0].content[0]"},
	{"tool without name", `,"tools":[{"input_schema":{"type":"object"}}]`, "400 invalid_request tools[0]"},
	{"tool choice without type", `,"tool_choice":{"name":"f"}`, "400 invalid_request tool_choice"},
	{"unknown tool choice", `,"tool_choice":{"type":"required"}`, "400 invalid_request tool_choice.type"},
	{"system as a number", `,"system":7`, "400 invalid_request system"},
	{"stop as a string", `,"stop_sequences":"END"`, "400 invalid_request stop_sequences"},
	{"stream as a string", `,"stream":"false"`, "400 invalid_request stream"},
	{"empty model", `{"model":"","max_tokens":9,"messages":[{"role":"user","content":"a"}]}`, "400 invalid_request model"},
	{"unknown model", `{"model":"nobody","max_tokens":9,"messages":[{"role":"user","content":"a"}]}`, "404 model_not_found model"},
	{"long chain", `{"model":"` + strings.Repeat("smart,", 20) + `smart","max_tokens":9,"messages":[{"role":"user","content":"a"}]}`, "400 invalid_request model"},
}

// leavingRows are requests that Anthropic might take and OpenAI cannot.
var leavingRows = []malformed{
	{"container", `,"container":"c-1"`, "400 unsupported_feature container"},
	{"MCP servers", `,"mcp_servers":[{"type":"url","url":"https://example.com","name":"x"}]`, "400 unsupported_feature mcp_servers"},
	{"place of inference", `,"inference_geo":"us"`, "400 unsupported_feature inference_geo"},
	{"tool of the provider", `,"tools":[{"type":"web_search_20250305","name":"web_search"}]`, "400 unsupported_feature tools[0]"},
	{"uploaded file", `{"model":"openai/gpt-4o","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"file","file_id":"file-1"}}]}]}`, "400 unsupported_feature messages[0].content[0]"},
	{"linked document", `{"model":"openai/gpt-4o","max_tokens":9,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"url","url":"https://example.com/a.pdf"}}]}]}`, "400 unsupported_feature messages[0].content[0]"},
}

// embeddingRows are requests for embeddings.
var embeddingRows = []malformed{
	{"no input", `{"model":"openai/e"}`, "400 invalid_request input"},
	{"empty input", `{"model":"openai/e","input":[]}`, "400 invalid_request input"},
	{"input as an object", `{"model":"openai/e","input":{"text":"` + prompt + `"}}`, "400 invalid_request input"},
	{"half a token", `{"model":"openai/e","input":[1.5]}`, "400 invalid_request input[0]"},
	{"no such thing there", `{"model":"anthropic/claude-sonnet-4-5","input":"` + prompt + `"}`, "400 unsupported_feature"},
}

// countRows are requests to count tokens.
var countRows = []malformed{
	{"no messages", `{"model":"openai/gpt-4o"}`, "400 invalid_request messages"},
	{"unknown model", `{"model":"nobody","messages":[{"role":"user","content":"a"}]}`, "404 model_not_found model"},
}

// What is wrong with a request is said in the client's format, and no provider
// hears of it.
func TestMalformed(t *testing.T) {
	d := openDoor(t)
	for _, group := range []struct {
		name, path, start string
		rows              []malformed
	}{
		{"chat", "/v1/chat/completions", chatStart, chatRows},
		{"chat to anthropic", "/v1/chat/completions", crossingStart, crossingRows},
		{"message", "/v1/messages", messageStart, messageRows},
		{"message to openai", "/v1/messages", leavingStart, leavingRows},
		{"embeddings", "/v1/embeddings", `{"model":"openai/e"`, embeddingRows},
		{"count", "/v1/messages/count_tokens", `{"model":"openai/gpt-4o"`, countRows},
	} {
		for _, row := range group.rows {
			t.Run(group.name+" "+row.name, func(t *testing.T) {
				body := row.body
				if strings.HasPrefix(body, ",") {
					body = group.start + body + "}"
				}
				d.refuses(t, d.request(t, "POST", group.path, body), row.want)
			})
		}
	}
}

// What is wrong with the rest of a request is said in the client's format too.
func TestMalformedHeads(t *testing.T) {
	d := openDoor(t)
	const chat, message = "/v1/chat/completions", "/v1/messages"
	for _, row := range []struct {
		name, method, path string
		header             []string // name and value; an empty value removes it
		want               string
	}{
		{"path", "POST", "/v1/nothing", nil, "404 unknown_path"},
		{"path of a file", "POST", "/v1/../etc/passwd", nil, "404 unknown_path"},
		{"root", "GET", "/", nil, "404 unknown_path"},
		{"path below", "POST", chat + "/x", nil, "404 unknown_path"},
		{"GET of chat", "GET", chat, nil, "405 unknown_path"},
		{"PUT of a message", "PUT", message, nil, "405 unknown_path"},
		{"DELETE of models", "DELETE", "/v1/models/smart", nil, "405 unknown_path"},
		{"unknown model", "GET", "/v1/models/nobody", nil, "404 model_not_found"},
		{"no key", "POST", chat, []string{"Authorization", ""}, "401 missing_key"},
		{"no key for a message", "POST", message, []string{"Authorization", ""}, "401 missing_key"},
		{"no key for models", "GET", "/v1/models", []string{"Authorization", ""}, "401 missing_key"},
		{"empty key", "POST", chat, []string{"Authorization", "Bearer "}, "401 missing_key"},
		{"password", "POST", chat, []string{"Authorization", "Basic dTpw"}, "401 missing_key"},
		{"foreign key", "POST", chat, []string{"Authorization", "Bearer sk-proj-4111"}, "401 invalid_key"},
		{"foreign x-api-key", "POST", message, []string{"Authorization", "", "X-Api-Key", "sk-ant-4111"}, "401 invalid_key"},
		{"unknown key", "POST", chat, []string{"Authorization", "Bearer sk-attache-4111"}, "401 invalid_key"},
		{"revoked key", "POST", chat, []string{"Authorization", "Bearer " + d.revoked}, "401 invalid_key"},
		{"revoked key for a message", "POST", message, []string{"Authorization", "", "X-Api-Key", d.revoked}, "401 invalid_key"},
		{"expired key", "POST", chat, []string{"Authorization", "Bearer " + d.expired}, "401 expired_key"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := d.request(t, row.method, row.path, chatStart+"}")
			for i := 0; i < len(row.header); i += 2 {
				r.Header.Del(row.header[i])
				if row.header[i+1] != "" {
					r.Header.Set(row.header[i], row.header[i+1])
				}
			}
			d.refuses(t, r, row.want)
		})
	}
	t.Run("large body", func(t *testing.T) {
		for _, path := range []string{chat, message} {
			d.refuses(t, d.request(t, "POST", path, strings.Repeat(prompt, 1<<17)), "413 request_too_large")
		}
	})
}

// request is a request of a client with a good key, in the dialect of the path.
func (d *door) request(t *testing.T, method, path, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, d.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Path = path
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+d.key)
	if strings.HasPrefix(path, "/v1/messages") {
		r.Header.Set("Anthropic-Version", "2023-06-01")
	}
	return r
}

// refuses sends a request that is to be refused: with that status, code and
// member, as the client's SDK expects it, without repeating the client's words.
func (d *door) refuses(t *testing.T, r *http.Request, want string) {
	t.Helper()
	before := d.requests()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if kind := response.Header.Get("Content-Type"); kind != "application/json" || response.Header.Get("X-Attache-Request-Id") == "" {
		t.Errorf("content-type %q, headers %v", kind, response.Header)
	}
	read := openAIError
	if strings.HasPrefix(r.URL.Path, "/v1/messages") {
		read = anthropicError
	}
	code, param, err := read(body, want)
	if got := strings.TrimSpace(fmt.Sprint(response.StatusCode, " ", code, " ", param)); err != nil || got != want {
		t.Errorf("got %s, want %s (%v)\n%s", got, want, err, body)
	}
	if strings.Contains(string(body), "4111") || strings.Contains(string(body), "sk-attache-4") {
		t.Errorf("the answer repeats what the client sent: %s", body)
	}
	if n := d.requests() - before; n != 0 {
		t.Error("a provider got the request")
	}
}

// requests is how many requests the providers have got.
func (d *door) requests() int { return d.openai.Stats().Requests + d.anthropic.Stats().Requests }

// openAIError reads an error as OpenAI writes it.
func openAIError(body []byte, _ string) (code, param string, err error) {
	var e struct {
		Error struct {
			Message, Type string
			Code          *string
			Param         *string
		}
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return "", "", err
	}
	if e.Error.Message == "" || e.Error.Type == "" || e.Error.Code == nil {
		return "", "", fmt.Errorf("not an error of OpenAI")
	}
	if e.Error.Param != nil {
		param = *e.Error.Param
	}
	return *e.Error.Code, param, nil
}

// anthropicTypes are the types of errors that belong to the statuses.
var anthropicTypes = map[string]string{
	"400": "invalid_request_error", "401": "authentication_error", "404": "not_found_error", "405": "invalid_request_error", "413": "request_too_large",
}

// anthropicError reads an error as Anthropic writes it. The member at fault is
// the beginning of the message.
func anthropicError(body []byte, want string) (code, param string, err error) {
	var e struct {
		Type  string
		Error struct{ Type, Code, Message string }
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return "", "", err
	}
	if e.Type != "error" || e.Error.Type != anthropicTypes[want[:3]] || e.Error.Message == "" {
		return "", "", fmt.Errorf("not an error of Anthropic for %s", want[:3])
	}
	if parts := strings.SplitN(want, " ", 3); len(parts) == 3 && strings.HasPrefix(e.Error.Message, parts[2]+": ") {
		param = parts[2]
	}
	return e.Error.Code, param, nil
}

// What is no HTTP gets an answer that both SDKs read, or a closed connection.
func TestMalformedHTTP(t *testing.T) {
	d := openDoor(t)
	head := "POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nAuthorization: Bearer " + d.key + "\r\n"
	t.Run("group", func(t *testing.T) {
		for name, text := range map[string]string{
			"no host":              "POST /v1/chat/completions HTTP/1.1\r\n\r\n",
			"no protocol":          "hello\r\n\r\n",
			"negative length":      head + "Content-Length: -1\r\n\r\n",
			"length in words":      head + "Content-Length: many\r\n\r\n",
			"two lengths":          head + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nnull",
			"length and chunks":    head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			"chunk without length": head + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n" + chatStart + "}\r\n0\r\n\r\n",
			"line feed in a name":  head + "X-\n: y\r\n\r\n",
			"large head":           head + "X-Large: " + strings.Repeat("x", 1<<20) + "\r\n\r\n",
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel() // Envoy takes its time to close
				d.refusesBytes(t, text)
			})
		}
	})
	if d.requests() != 0 {
		t.Error("a provider got a request")
	}
}

// refusesBytes writes to Envoy and reads what comes back.
func (d *door) refusesBytes(t *testing.T, text string) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, text) // Envoy may close before it has all
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the connection stays open")
	} else if err != nil {
		return
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, _, openAI := openAIError(body, "400")
	_, _, anthropic := anthropicError(body, "400")
	if response.StatusCode != 400 || openAI != nil || anthropic != nil {
		t.Errorf("got %d %s", response.StatusCode, body)
	}
}
