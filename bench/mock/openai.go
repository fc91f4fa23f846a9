package mock

import (
	"fmt"
	"strings"
)

// created is the time of every answer, in seconds since 1970.
const created = 1760000000

// chat is a chat.completion.
func (q question) chat() reply {
	message, finish := `"content":`+quote(strings.Join(q.pieces(), ""))+`,"refusal":null`, "stop"
	if q.tool != "" {
		message = fmt.Sprintf(`"content":null,"refusal":null,"tool_calls":[{"id":"call_mock","type":"function","function":{"name":%s,"arguments":%s}}]`,
			quote(q.tool), quote(arguments[0]+arguments[1]))
		finish = "tool_calls"
	}
	return unary(typeJSON, fmt.Appendf(nil,
		`{"id":"chatcmpl-mock","object":"chat.completion","created":%d,"model":%s,"choices":[{"index":0,"message":{"role":"assistant",%s,"annotations":[]},"logprobs":null,"finish_reason":"%s"}],"usage":%s,"service_tier":"default","system_fingerprint":"fp_mock"}`,
		created, quote(q.model), message, finish, q.chatUsage()))
}

// chatStream is the same as chunks. As OpenAI does it, a client that did not
// ask for usage sees no usage member at all; one that did sees null in every
// chunk and then one more chunk without choices.
func (q question) chatStream() reply {
	var usage string
	if q.usage {
		usage = `,"usage":null`
	}
	head := fmt.Sprintf(`data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":%d,"model":%s,"service_tier":"default","system_fingerprint":"fp_mock","choices":[`,
		created, quote(q.model))
	var frames []string
	choice := func(delta, finish string) {
		frames = append(frames, head+`{"index":0,"delta":{`+delta+`},"logprobs":null,"finish_reason":`+finish+`}]`+usage+"}\n\n")
	}
	if q.tool == "" {
		choice(`"role":"assistant","content":"","refusal":null`, "null")
		for _, piece := range q.pieces() {
			choice(`"content":`+quote(piece), "null")
		}
		choice("", `"stop"`)
	} else {
		choice(`"role":"assistant","content":null`, "null")
		choice(`"tool_calls":[{"index":0,"id":"call_mock","type":"function","function":{"name":`+quote(q.tool)+`,"arguments":""}}]`, "null")
		for _, piece := range arguments {
			choice(`"tool_calls":[{"index":0,"function":{"arguments":`+quote(piece)+`}}]`, "null")
		}
		choice("", `"tool_calls"`)
	}
	if q.usage {
		frames = append(frames, head+`],"usage":`+q.chatUsage()+"}\n\n")
	}
	return stream(append(frames, "data: [DONE]\n\n"))
}

func (q question) chatUsage() string {
	output := len(arguments)
	if q.tool == "" {
		output = len(q.pieces())
	}
	return fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`,
		q.input, output, q.input+output)
}

func openAIModels(name string) []byte {
	return fmt.Appendf(nil, `{"object":"list","data":[{"id":"mock-small","object":"model","created":%d,"owned_by":%s},{"id":"mock-large","object":"model","created":%d,"owned_by":%s}]}`,
		created, quote(name), created, quote(name))
}
