package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/bench/mock"
)

// TestBothOfOpenAIsAPIs has a provider with Chat Completions and Responses below
// one URL: each client gets its own, whole, streamed and after a failure, and its
// tokens are booked.
func TestBothOfOpenAIsAPIs(t *testing.T) {
	for _, version := range []string{"1.40", "1.39"} {
		t.Run(version, func(t *testing.T) {
			w := beginWith(t, version, cloud{"both", `{kind: openai, url: "%s/v1", key: k, dialect: [openai, responses]}`, mock.Options{}})
			for _, model := range []string{"both/m", "dead-o/m,both/m"} { // the other has chats alone: it fails, or is left out
				for _, stream := range []bool{false, true} {
					for path, more := range map[string]string{
						"/v1/chat/completions": `"messages":[{"role":"user","content":"hi"}]`,
						"/v1/responses":        `"input":"hi","previous_response_id":"resp_1","tools":[{"type":"web_search"}]`,
					} {
						body := fmt.Sprintf(`{"model":%q,"stream":%t,%s}`, model, stream, more)
						got := w.call(t, "POST", path, strings.NewReader(body), "Content-Type", "application/json")
						if got.status != 200 || !strings.Contains(got.body, "both") || got.header.Get("X-Attache-Provider") != "both" {
							t.Errorf("%s: got %d %q", body, got.status, got.body)
							continue
						}
						log := w.providers["both"].Log()
						if last := log[len(log)-1].Path; last != path {
							t.Errorf("%s: the provider got %s", body, last)
						}
						if r := w.row(t, got); r.output == 0 || r.counted || r.truncated {
							t.Errorf("%s: recorded %+v", body, r)
						}
					}
				}
			}
		})
	}
}
