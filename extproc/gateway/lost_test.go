package gateway

import (
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

// What a client's format has no place for stands in the record, and of a unary
// response in the header as well.
func TestWhatIsLeftOutOfAResponse(t *testing.T) {
	const block = `{"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"x"}}`
	const unary = `{"id":"1","type":"message","role":"assistant","model":"m","content":[` + block + `,{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`
	stream := strings.Replace(anthropicStream, "event: content_block_start",
		"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":"+block+"}\n\nevent: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: content_block_start", 1)
	const want = "server_tool_use: left out of the answer"
	for _, tt := range []struct {
		media, body string
		stream      bool
	}{{"application/json", unary, false}, {"text/event-stream", stream, true}} {
		head, body, r := run(t, llm.OpenAI, "b/m", tt.stream, tt.media, 200, []byte(tt.body), nil)
		if len(r.Warnings) != 1 || !strings.HasPrefix(r.Warnings[0], want) || !strings.Contains(body, "stop") {
			t.Errorf("stream %v: %q, %s", tt.stream, r.Warnings, body)
		}
		told := ""
		for _, h := range head.Set {
			if h.Name == "x-attache-warnings" {
				told = h.Value
			}
		}
		if strings.HasPrefix(told, want) == tt.stream {
			t.Errorf("stream %v: the header says %q", tt.stream, told)
		}
	}
}
