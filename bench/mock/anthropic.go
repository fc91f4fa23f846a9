package mock

import (
	"fmt"
	"strings"
)

// message is a whole answer of the messages API.
func (q question) message() reply {
	var blocks []string
	if q.thinking {
		blocks = append(blocks, fmt.Sprintf(`{"type":"thinking","thinking":%s,"signature":"%s"}`, quote(strings.Join(thoughts[:], "")), signature))
	}
	if q.tool == "" {
		blocks = append(blocks, fmt.Sprintf(`{"type":"text","text":%s}`, quote(strings.Join(q.pieces(), ""))))
	} else {
		blocks = append(blocks, fmt.Sprintf(`{"type":"tool_use","id":"toolu_mock","name":%s,"input":%s}`, quote(q.tool), arguments[0]+arguments[1]))
	}
	return unary(typeJSON, fmt.Appendf(nil, `{"id":"msg_mock","type":"message","role":"assistant","model":%s,"content":[%s],"stop_reason":"%s","stop_sequence":null,"usage":{%s}}`,
		quote(q.model), strings.Join(blocks, ","), q.stopReason(), q.messageUsage(q.outputTokens())))
}

// messageStream is the same as events.
func (q question) messageStream() reply {
	var frames []string
	send := func(event, members string) {
		frames = append(frames, "event: "+event+"\ndata: {\"type\":\""+event+`"`+members+"}\n\n")
	}
	index := 0
	block := func(start string, deltas ...string) {
		send("content_block_start", fmt.Sprintf(`,"index":%d,"content_block":{%s}`, index, start))
		if index == 0 {
			send("ping", "")
		}
		for _, delta := range deltas {
			send("content_block_delta", fmt.Sprintf(`,"index":%d,"delta":{%s}`, index, delta))
		}
		send("content_block_stop", fmt.Sprintf(`,"index":%d`, index))
		index++
	}
	send("message_start", fmt.Sprintf(`,"message":{"id":"msg_mock","type":"message","role":"assistant","model":%s,"content":[],"stop_reason":null,"stop_sequence":null,"usage":{%s}}`,
		quote(q.model), q.messageUsage(1)))
	if q.thinking {
		deltas := wrap(`"type":"thinking_delta","thinking":`, thoughts[:]...)
		block(`"type":"thinking","thinking":"","signature":""`, append(deltas, `"type":"signature_delta","signature":"`+signature+`"`)...)
	}
	if q.tool == "" {
		block(`"type":"text","text":""`, wrap(`"type":"text_delta","text":`, q.pieces()...)...)
	} else {
		block(`"type":"tool_use","id":"toolu_mock","name":`+quote(q.tool)+`,"input":{}`,
			wrap(`"type":"input_json_delta","partial_json":`, "", arguments[0], arguments[1])...)
	}
	send("message_delta", fmt.Sprintf(`,"delta":{"stop_reason":"%s","stop_sequence":null},"usage":{%s}`, q.stopReason(), q.messageUsage(q.outputTokens())))
	send("message_stop", "")
	return stream(frames)
}

// wrap puts a prefix in front of each piece, which it quotes.
func wrap(prefix string, pieces ...string) []string {
	deltas := make([]string, len(pieces))
	for i, piece := range pieces {
		deltas[i] = prefix + quote(piece)
	}
	return deltas
}

func (q question) stopReason() string {
	if q.tool != "" {
		return "tool_use"
	}
	return "end_turn"
}

func (q question) outputTokens() int {
	n := len(arguments)
	if q.tool == "" {
		n = len(q.pieces())
	}
	if q.thinking {
		n += len(thoughts)
	}
	return n
}

// messageUsage is cumulative: what was used up to here.
func (q question) messageUsage(output int) string {
	return fmt.Sprintf(`"input_tokens":%d,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":%d`, q.input, output)
}

func anthropicModels(name string) []byte {
	model := func(id string) string {
		return fmt.Sprintf(`{"type":"model","id":"%s","display_name":%s,"created_at":"2025-10-09T08:53:20Z"}`, id, quote(name+" "+id))
	}
	return fmt.Appendf(nil, `{"data":[%s,%s],"first_id":"mock-small","last_id":"mock-large","has_more":false}`, model("mock-small"), model("mock-large"))
}
