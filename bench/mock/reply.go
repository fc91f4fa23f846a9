package mock

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

const (
	typeJSON   = "application/json"
	typeSSE    = "text/event-stream; charset=utf-8"
	typeHTML   = "text/html; charset=utf-8"
	typeEvents = "application/vnd.amazon.eventstream"
	signature  = "bW9jayBzaWduYXR1cmU=" // of every thinking block
)

// arguments are those of every tool call, in the pieces in which they stream.
var arguments = [2]string{`{"city":`, `"Paris"}`}

// thoughts are the pieces of every thinking block.
var thoughts = [3]string{"The user", " wants", " an answer."}

// reply is what goes on the wire if nothing goes wrong.
type reply struct {
	status      int
	contentType string
	encoding    string
	errorType   string   // Bedrock's name of an error, which it says in a header
	retryAfter  int      // seconds; 0 means none
	frames      [][]byte // the events of a stream; one for another body
	body        []byte   // the frames joined
}

func (r reply) stream() bool {
	return strings.HasPrefix(r.contentType, "text/event-stream") || r.contentType == typeEvents
}

func unary(contentType string, body []byte) reply {
	return reply{status: http.StatusOK, contentType: contentType, frames: [][]byte{body}, body: body}
}

func stream(frames []string) reply {
	r := reply{status: http.StatusOK, contentType: typeSSE, frames: make([][]byte, len(frames))}
	r.body = []byte(strings.Join(frames, ""))
	rest := r.body
	for i, frame := range frames {
		r.frames[i], rest = rest[:len(frame)], rest[len(frame):]
	}
	return r
}

// reply picks the answer of a healthy provider, or one of the error statuses.
func (s *Server) reply(r *http.Request, body []byte, f facts, b Behaviour) reply {
	c := callOf(r)
	if code := b.Fault.status(); code != 0 {
		if code == http.StatusTooManyRequests && b.RetryAfter == 0 {
			b.RetryAfter = 1
		}
		return errorReply(c.dialect, code, s.options.Name+": planned failure", b.RetryAfter)
	}
	if b.Replay != "" {
		rec, ok := s.options.Recordings[b.Replay]
		if !ok {
			return errorReply(c.dialect, http.StatusBadRequest, fmt.Sprintf("mock: no recording %q", b.Replay), 0)
		}
		return rec.reply()
	}
	if s.options.Dialect != All && s.options.Dialect != c.dialect {
		return unknownPath(s.options.Dialect, r)
	}
	if r.Method == http.MethodPost {
		if complaint := s.complaint(r, c, body, f); complaint != "" {
			return errorReply(c.dialect, http.StatusBadRequest, complaint, 0)
		}
	}
	switch c.op {
	case opChat:
		return s.replies.get(s.question(c.dialect, f, b))
	case opCount:
		return counted(c.dialect, f.input)
	case opEmbed:
		if c.dialect == Gemini {
			return contentEmbeddings(body)
		}
		return embeddings(body)
	case opModels:
		if c.dialect == Anthropic {
			return unary(typeJSON, anthropicModels(s.options.Name))
		}
		return unary(typeJSON, openAIModels(s.options.Name))
	}
	return unknownPath(c.dialect, r)
}

// counted answers how many tokens a request has.
func counted(d Dialect, n int) reply {
	format := `{"input_tokens":%d}`
	switch d {
	case Gemini:
		format = `{"totalTokens":%d,"promptTokensDetails":[{"modality":"TEXT","tokenCount":%[1]d}]}`
	case Bedrock:
		format = `{"inputTokens":%d}`
	case Responses:
		format = `{"object":"response.input_tokens","input_tokens":%d}`
	}
	return unary(typeJSON, fmt.Appendf(nil, format, n))
}

// complaint is what the provider finds missing in a request, "" if nothing.
func (s *Server) complaint(r *http.Request, c call, body []byte, f facts) string {
	switch {
	case !s.options.Bench && !json.Valid(body):
		return "the body is not valid JSON"
	case f.model == "":
		return "model: field required"
	case c.op == opEmbed:
		return ""
	case !f.messages:
		return prompts[c.dialect] + ": field required"
	case c.dialect == Anthropic && r.Header.Get("Anthropic-Version") == "":
		return "anthropic-version: header is required"
	case c.dialect == Anthropic && c.op == opChat && !f.maxTokens:
		return "max_tokens: field required"
	case c.dialect == Gemini && c.stream && r.URL.Query().Get("alt") != "sse":
		return "alt=sse: the mock streams in no other form"
	}
	return ""
}

// prompts are the members of a request that hold its messages.
var prompts = map[Dialect]string{OpenAI: "messages", Anthropic: "messages", Responses: "input", Gemini: "contents", Bedrock: "messages"}

// question is all that an answer depends on; equal questions have the same.
type question struct {
	dialect          Dialect
	model            string
	stream, usage    bool
	thinking         bool
	tool             string // to call; "" for a text
	images           int
	input            int // tokens
	text             string
	events, textSize int
}

func (s *Server) question(d Dialect, f facts, b Behaviour) question {
	q := question{
		dialect: d, model: f.model, stream: f.stream, usage: f.usage, thinking: f.thinking,
		images: f.images, input: f.input, text: b.Text, events: b.Events, textSize: b.Bytes,
	}
	if f.useTool {
		q.tool = f.tool
	}
	switch {
	case q.text != "":
	case f.schema:
		q.text = arguments[0] + arguments[1]
	default:
		q.text = "Hello from " + s.options.Name + "."
	}
	if q.images > 0 {
		q.text += fmt.Sprintf(" I see %d images.", q.images)
	}
	return q
}

// pieces are the text of the answer as it streams.
func (q question) pieces() []string {
	if q.textSize > 0 {
		return q.filler()
	}
	words := strings.SplitAfter(q.text, " ")
	if q.events == 0 {
		return words
	}
	pieces := make([]string, q.events)
	for i := range pieces {
		pieces[i] = words[i%len(words)]
		if i%len(words) == len(words)-1 && i != q.events-1 {
			pieces[i] += " "
		}
	}
	return pieces
}

// filler is textSize bytes of text in as many pieces as there are events, or
// in pieces of a kilobyte.
func (q question) filler() []string {
	const lorem = "lorem ipsum dolor sit amet "
	n := q.events
	if n == 0 {
		n = (q.textSize + 1023) / 1024
	}
	text := strings.Repeat(lorem, q.textSize/len(lorem)+1)
	pieces := make([]string, n)
	for i := range pieces {
		pieces[i] = text[i*q.textSize/n : (i+1)*q.textSize/n]
	}
	return pieces
}

// writers make the answers of each dialect: whole, and as a stream.
var writers = map[Dialect]struct{ whole, stream func(question) reply }{
	OpenAI:    {question.chat, question.chatStream},
	Responses: {question.response, question.responseStream},
	Anthropic: {question.message, question.messageStream},
	Gemini:    {question.content, question.contentStream},
	Bedrock:   {question.converse, question.converseStream},
}

func (q question) render() reply {
	if q.stream {
		return writers[q.dialect].stream(q)
	}
	return writers[q.dialect].whole(q)
}

// replies remembers answers, so that a benchmark pays for each only once.
type replies struct {
	mu    sync.Mutex
	known map[question]reply
}

// get renders an answer or finds it. Large ones are not kept, and all are
// forgotten when there are many.
func (c *replies) get(q question) reply {
	c.mu.Lock()
	rep, ok := c.known[q]
	c.mu.Unlock()
	if ok {
		return rep
	}
	rep = q.render()
	if len(rep.body) > 1<<20 {
		return rep
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= 256 {
		c.known = make(map[question]reply)
	}
	c.known[q] = rep
	return rep
}

// quote is s as a JSON string.
func quote(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.Encode(s) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}
