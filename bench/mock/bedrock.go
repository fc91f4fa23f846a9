package mock

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
)

// converse is a whole answer of the Converse API.
func (q question) converse() reply {
	var blocks []string
	if q.thinking {
		blocks = append(blocks, fmt.Sprintf(`{"reasoningContent":{"reasoningText":{"text":%s,"signature":"%s"}}}`, quote(strings.Join(thoughts[:], "")), signature))
	}
	if q.tool == "" {
		blocks = append(blocks, `{"text":`+quote(strings.Join(q.pieces(), ""))+`}`)
	} else {
		blocks = append(blocks, fmt.Sprintf(`{"toolUse":{"toolUseId":"tooluse_mock","name":%s,"input":%s}}`, quote(q.tool), arguments[0]+arguments[1]))
	}
	return unary(typeJSON, fmt.Appendf(nil, `{"output":{"message":{"role":"assistant","content":[%s]}},"stopReason":"%s","usage":%s,"metrics":{"latencyMs":7}}`,
		strings.Join(blocks, ","), q.stopReason(), q.converseUsage()))
}

// converseStream is the same as messages of an event stream. As Bedrock does
// it, only a call says when it begins, and usage comes behind the end.
func (q question) converseStream() reply {
	var frames []string
	send := func(kind, payload string) { frames = append(frames, eventFrame("event", kind, payload)) }
	index := 0
	block := func(deltas ...string) {
		for _, delta := range deltas {
			send("contentBlockDelta", fmt.Sprintf(`{"contentBlockIndex":%d,"delta":{%s},"p":"abcd"}`, index, delta))
		}
		send("contentBlockStop", fmt.Sprintf(`{"contentBlockIndex":%d,"p":"ab"}`, index))
		index++
	}
	send("messageStart", `{"role":"assistant","p":"abc"}`)
	if q.thinking {
		deltas := append(wrap(`"text":`, thoughts[:]...), `"signature":"`+signature+`"`)
		for i, delta := range deltas {
			deltas[i] = `"reasoningContent":{` + delta + `}`
		}
		block(deltas...)
	}
	if q.tool == "" {
		block(wrap(`"text":`, q.pieces()...)...)
	} else {
		send("contentBlockStart", fmt.Sprintf(`{"contentBlockIndex":%d,"start":{"toolUse":{"toolUseId":"tooluse_mock","name":%s}}}`, index, quote(q.tool)))
		block(`"toolUse":{"input":`+quote(arguments[0])+`}`, `"toolUse":{"input":`+quote(arguments[1])+`}`)
	}
	send("messageStop", `{"stopReason":"`+q.stopReason()+`"}`)
	send("metadata", `{"metrics":{"latencyMs":7},"usage":`+q.converseUsage()+`}`)
	r := stream(frames)
	r.contentType = typeEvents
	return r
}

func (q question) converseUsage() string {
	return fmt.Sprintf(`{"inputTokens":%d,"outputTokens":%d,"totalTokens":%d}`, q.input, q.outputTokens(), q.input+q.outputTokens())
}

// eventFrame is one message of Amazon's event stream: lengths and a checksum,
// the headers that say its kind, the payload, and a checksum of all.
func eventFrame(message, kind, payload string) string {
	var headers []byte
	for _, h := range [...][2]string{{":" + message + "-type", kind}, {":content-type", typeJSON}, {":message-type", message}} {
		const text = 7 // the type of the value
		headers = append(append(append(headers, byte(len(h[0]))), h[0]...), text)
		headers = append(binary.BigEndian.AppendUint16(headers, uint16(len(h[1]))), h[1]...)
	}
	frame := binary.BigEndian.AppendUint32(nil, uint32(12+len(headers)+len(payload)+4))
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(headers)))
	frame = binary.BigEndian.AppendUint32(frame, crc32.ChecksumIEEE(frame))
	frame = append(append(frame, headers...), payload...)
	return string(binary.BigEndian.AppendUint32(frame, crc32.ChecksumIEEE(frame)))
}

// eventFrames cuts a body into its messages, and keeps a rest that is none.
func eventFrames(body []byte) (frames [][]byte) {
	for len(body) > 0 {
		n := len(body)
		if n >= 4 {
			n = min(n, max(4, int(binary.BigEndian.Uint32(body))))
		}
		frames = append(frames, body[:n])
		body = body[n:]
	}
	return frames
}
