package stream

import (
	"strings"
	"testing"

	extproc "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
)

const (
	unaryRequest  = `{"model":"a/m","messages":[{"role":"user","content":"hi"}]}`
	streamRequest = `{"model":"a/m","stream":true,"messages":[{"role":"user","content":"hi"}]}`
	completion    = `{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"ho"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}`
)

// alphabet is every message that Envoy can send, some in two forms.
var alphabet = []struct {
	name string
	msg  *extproc.ProcessingRequest
}{
	{"reqH", requestHeaders(false)},
	{"reqHend", requestHeaders(true)},
	{"reqB", requestBody(unaryRequest)},
	{"reqBs", requestBody(streamRequest)},
	{"rspH", responseHeaders("via_upstream", 1, ":status", "200", "content-type", "application/json")},
	{"rspHs", responseHeaders("via_upstream", 1, ":status", "200", "content-type", "text/event-stream")},
	{"rspHlocal", responseHeaders("no_healthy_upstream", 0, ":status", "503")},
	{"rspB", responseBody(completion, true)},
	{"rspBs", responseBody("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n", false)},
	{"rspT", responseTrailers()},
}

// Envoy skips phases and a broken one may send anything. Whatever the order,
// nothing panics, no exchange stays behind, every exchange has its record, and
// an order that makes no sense is refused rather than waved through.
func TestEveryOrderOfMessages(t *testing.T) {
	length := 5
	if testing.Short() {
		length = 4
	}
	srv, records := newServer(t, nil)
	tried, refused, exchanges := 0, 0, 0
	var walk func(seq []int)
	walk = func(seq []int) {
		if len(seq) > 0 {
			tried++
			names, err := playSequence(t, srv, seq)
			if err != nil {
				refused++
			}
			if strings.HasPrefix(names, "reqH") {
				exchanges++
			} else if err == nil && !strings.HasPrefix(names, "rspHlocal") {
				t.Fatalf("%s: a conversation that begins with neither a request nor Envoy's refusal was accepted", names)
			}
		}
		if len(seq) == length {
			return
		}
		for i := range alphabet {
			walk(append(seq[:len(seq):len(seq)], i))
		}
	}
	walk(nil)
	if got := len(records.records); got != exchanges {
		t.Errorf("%d records for %d exchanges", got, exchanges)
	}
	live := 0
	srv.live.Range(func(any, any) bool { live++; return true })
	if live > 0 {
		t.Errorf("%d exchanges stayed behind", live)
	}
	t.Logf("%d orders, %d refused, %d exchanges", tried, refused, exchanges)
}

func playSequence(t *testing.T, srv *Server, seq []int) (names string, err error) {
	t.Helper()
	says := make([]*extproc.ProcessingRequest, len(seq))
	list := make([]string, len(seq))
	for i, k := range seq {
		says[i], list[i] = alphabet[k].msg, alphabet[k].name
	}
	names = strings.Join(list, " ")
	defer func() {
		if p := recover(); p != nil {
			t.Fatalf("%s: panic: %v", names, p)
		}
	}()
	replies, err := play(srv, "downstream", says...)
	if len(replies) > len(says)+1 {
		t.Fatalf("%s: %d replies to %d messages", names, len(replies), len(says))
	}
	return names, err
}

// The same for the attempts' side, which must not know any exchange.
func TestUpstreamOrders(t *testing.T) {
	srv, _ := newServer(t, nil)
	for i := range alphabet {
		for j := range alphabet {
			says := []*extproc.ProcessingRequest{alphabet[i].msg, alphabet[j].msg}
			if _, err := play(srv, "upstream", says...); err == nil {
				t.Errorf("%s %s: an attempt of no exchange was let through", alphabet[i].name, alphabet[j].name)
			}
		}
	}
}

func TestSideMustBeSaid(t *testing.T) {
	srv, _ := newServer(t, nil)
	for _, side := range []string{"", "client", "Downstream"} {
		if replies, err := play(srv, side, requestHeaders(false), requestBody(unaryRequest)); err == nil || len(replies) > 0 {
			t.Errorf("side %q: got %d replies, %v", side, len(replies), err)
		}
	}
}
