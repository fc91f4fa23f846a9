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
	typeJSON  = "application/json"
	typeSSE   = "text/event-stream; charset=utf-8"
	typeHTML  = "text/html; charset=utf-8"
	signature = "bW9jayBzaWduYXR1cmU=" // of every thinking block
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
	retryAfter  int      // seconds; 0 means none
	frames      [][]byte // the events of a stream; one for another body
	body        []byte   // the frames joined
}

func (r reply) stream() bool { return strings.HasPrefix(r.contentType, "text/event-stream") }

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
	d := dialectOf(r)
	if code := b.Fault.status(); code != 0 {
		rep := errorReply(d, code, s.options.Name+": planned failure")
		rep.retryAfter = b.RetryAfter
		if code == http.StatusTooManyRequests && b.RetryAfter == 0 {
			rep.retryAfter = 1
		}
		return rep
	}
	if b.Replay != "" {
		rec, ok := s.options.Recordings[b.Replay]
		if !ok {
			return errorReply(d, http.StatusBadRequest, fmt.Sprintf("mock: no recording %q", b.Replay))
		}
		return rec.reply()
	}
	if s.options.Dialect != Both && s.options.Dialect != d {
		return unknownPath(s.options.Dialect, r)
	}
	route := r.Method + " " + r.URL.Path
	if r.Method == http.MethodPost {
		if complaint := s.complaint(r, d, body, f); complaint != "" {
			return errorReply(d, http.StatusBadRequest, complaint)
		}
	}
	switch route {
	case "POST /v1/chat/completions":
		return s.replies.get(s.question(OpenAI, f, b))
	case "POST /v1/messages":
		return s.replies.get(s.question(Anthropic, f, b))
	case "POST /v1/messages/count_tokens":
		return unary(typeJSON, fmt.Appendf(nil, `{"input_tokens":%d}`, f.input))
	case "POST /v1/embeddings":
		return embeddings(body)
	case "GET /v1/models":
		if d == Anthropic {
			return unary(typeJSON, anthropicModels(s.options.Name))
		}
		return unary(typeJSON, openAIModels(s.options.Name))
	}
	return unknownPath(d, r)
}

// dialectOf is the dialect the client speaks: only listing the models needs a
// look at the headers.
func dialectOf(r *http.Request) Dialect {
	if strings.HasPrefix(r.URL.Path, "/v1/messages") || r.URL.Path == "/v1/models" && r.Header.Get("Anthropic-Version") != "" {
		return Anthropic
	}
	return OpenAI
}

// complaint is what the provider finds missing in a request, "" if nothing.
func (s *Server) complaint(r *http.Request, d Dialect, body []byte, f facts) string {
	switch {
	case !s.options.Bench && !json.Valid(body):
		return "the body is not valid JSON"
	case f.model == "":
		return "model: field required"
	case r.URL.Path == "/v1/embeddings":
		return ""
	case !f.messages:
		return "messages: field required"
	case d == Anthropic && r.Header.Get("Anthropic-Version") == "":
		return "anthropic-version: header is required"
	case r.URL.Path == "/v1/messages" && !f.maxTokens:
		return "max_tokens: field required"
	}
	return ""
}

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
	if q.text == "" {
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

func (q question) render() reply {
	switch {
	case q.dialect == OpenAI && q.stream:
		return q.chatStream()
	case q.dialect == OpenAI:
		return q.chat()
	case q.stream:
		return q.messageStream()
	}
	return q.message()
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
