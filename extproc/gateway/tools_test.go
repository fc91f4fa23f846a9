package gateway

import (
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

// TestToolNames: rules see every way in which a request can offer a tool, and
// none under an empty name.
func TestToolNames(t *testing.T) {
	chat := `{"model":"m","messages":[{"role":"user","content":"x"}],`
	claude := `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],`
	turns := `{"contents":[{"parts":[{"text":"x"}]}],`
	converse := `{"messages":[{"role":"user","content":[{"text":"x"}]}],`
	for _, tt := range []struct {
		dialect    dialect.Dialect
		body, want string
	}{
		{openai.New(), chat + `"tools":[{"type":"function","function":{"name":"f"}},{"type":"custom","custom":{"name":"c"}},{"type":"web_search_preview_2025_03_11"}]}`, "f c web_search_preview"},
		{openai.New(), chat + `"functions":[{"name":"f"},{"name":"g"}],"web_search_options":{}}`, "f g web_search"},
		{openai.New(), chat + `"search_parameters":{"mode":"on"},"plugins":[{"id":"web"},{}]}`, "web_search web plugin"},
		{openai.New(), chat + `"functions":null,"web_search_options":null}`, ""},
		{responses.New(), `{"model":"m","input":"x","tools":[{"type":"function","name":"f"},{"type":"custom","name":"c"},{"type":"web_search_2025_08_26"},{"type":"mcp","server_label":"s"},{"type":"code_interpreter"},{"type":"namespace","name":"n","tools":[{"type":"function","name":"g"}]}]}`,
			"f c web_search mcp code_interpreter namespace g"},
		{anthropic.New(), claude + `"tools":[{"name":"f","input_schema":{}},{"type":"web_search_20250305","name":"f"},{"type":"mcp_toolset","mcp_server_name":"s"}],"mcp_servers":[{"type":"url","url":"https://x","name":"s"}]}`,
			"f web_search mcp_toolset mcp"},
		{anthropic.New(), claude + `"mcp_servers":[]}`, ""},
		{gemini.New(), turns + `"tools":[{"functionDeclarations":[{"name":"f"}]},{"google_search":{}},{"codeExecution":{}}]}`, "f googleSearch codeExecution"},
		{bedrock.New(), converse + `"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{}}}},{"systemTool":{"name":"nova_grounding"}}]},"additionalModelRequestFields":{"tools":[{"type":"computer_20250124","name":"computer"}]}}`,
			"f nova_grounding computer"},
	} {
		r, err := tt.dialect.DecodeRequest(llm.OpChat, []byte(tt.body))
		if err != nil {
			t.Errorf("%s: %v", tt.body, err)
			continue
		}
		if have := toolNames(r); !slices.Equal(have, strings.Fields(tt.want)) {
			t.Errorf("%s\nhave %q\nwant %s", tt.body, have, tt.want)
		}
	}
	passed := &llm.Request{Op: llm.OpForward, Dialect: llm.OpenAI, Body: llm.Body{Raw: []byte(`{"x":1,"tools":[{"type":"mcp"},{"type":"function","name":"f"}]}`)}}
	if have := toolNames(passed); !slices.Equal(have, []string{"mcp", "f"}) {
		t.Errorf("passed on: %q", have)
	}
}
