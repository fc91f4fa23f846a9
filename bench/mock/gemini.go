package mock

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// content is a whole answer of generateContent.
func (q question) content() reply {
	var parts []string
	if q.thinking {
		parts = append(parts, thoughtPart(strings.Join(thoughts[:], "")))
	}
	if q.tool == "" {
		parts = append(parts, textPart(strings.Join(q.pieces(), "")))
	} else {
		parts = append(parts, q.callPart())
	}
	return unary(typeJSON, []byte(q.candidate(strings.Join(parts, ","), true, q.thoughtTokens(), q.saidTokens())))
}

// contentStream is the same as events, each with the usage so far. Lines end as
// Google's do, and nothing but the end of the body ends the stream.
func (q question) contentStream() reply {
	var frames []string
	send := func(part string, last bool, thought, said int) {
		frames = append(frames, "data: "+q.candidate(part, last, thought, said)+"\r\n\r\n")
	}
	if q.thinking {
		for i, piece := range thoughts {
			send(thoughtPart(piece), false, i+1, 0)
		}
	}
	if q.tool != "" {
		send(q.callPart(), true, q.thoughtTokens(), q.saidTokens())
		return stream(frames)
	}
	pieces := q.pieces()
	for i, piece := range pieces {
		send(textPart(piece), i == len(pieces)-1, q.thoughtTokens(), i+1)
	}
	return stream(frames)
}

func (q question) thoughtTokens() int {
	if q.thinking {
		return len(thoughts)
	}
	return 0
}

func (q question) saidTokens() int { return q.outputTokens() - q.thoughtTokens() }

// callPart is a call, which comes whole and without an ID.
func (q question) callPart() string {
	sealed := ""
	if q.thinking {
		sealed = `,"thoughtSignature":"` + signature + `"`
	}
	return `{"functionCall":{"name":` + quote(q.tool) + `,"args":` + arguments[0] + arguments[1] + `}` + sealed + `}`
}

func textPart(text string) string { return `{"text":` + quote(text) + `}` }

func thoughtPart(text string) string { return `{"text":` + quote(text) + `,"thought":true}` }

// candidate is an answer, or an event of one, with its usage so far.
func (q question) candidate(parts string, last bool, thought, said int) string {
	finish, thoughts := "", ""
	if last {
		finish = `,"finishReason":"STOP"`
	}
	if thought > 0 {
		thoughts = fmt.Sprintf(`,"thoughtsTokenCount":%d`, thought)
	}
	return fmt.Sprintf(`{"candidates":[{"content":{"parts":[%s],"role":"model"}%s,"index":0}],"usageMetadata":{"promptTokenCount":%d,"candidatesTokenCount":%d%s,"totalTokenCount":%d},"modelVersion":%s,"responseId":"mock"}`,
		parts, finish, q.input, said, thoughts, q.input+thought+said, quote(q.model))
}

// contentEmbeddings answers embedContent and batchEmbedContents.
func contentEmbeddings(body []byte) reply {
	type request struct {
		Content    struct{ Parts []struct{ Text string } }
		Dimensions int `json:"outputDimensionality"`
	}
	var req struct {
		request
		Requests []request
	}
	if err := json.Unmarshal(body, &req); err != nil {
		return errorReply(Gemini, http.StatusBadRequest, err.Error(), 0)
	}
	one := func(r request) string {
		if r.Dimensions <= 0 || r.Dimensions > maxDimensions {
			r.Dimensions = defaultDimensions
		}
		var words []string
		for _, part := range r.Content.Parts {
			words = append(words, strings.Fields(part.Text)...)
		}
		values, _ := json.Marshal(vector(words, r.Dimensions)) // numbers always encode
		return `{"values":` + string(values) + `}`
	}
	if req.Requests == nil {
		return unary(typeJSON, []byte(`{"embedding":`+one(req.request)+`}`))
	}
	all := make([]string, len(req.Requests))
	for i, r := range req.Requests {
		all[i] = one(r)
	}
	return unary(typeJSON, []byte(`{"embeddings":[`+strings.Join(all, ",")+`]}`))
}
