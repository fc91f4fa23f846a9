package responses

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

// meaning is what a response says, in a form that can be compared and printed.
type meaning struct {
	Blocks []string // texts, reasoning, signatures and calls, in order
	Reason llm.FinishReason
	Usage  llm.Usage
	Ended  bool
	Error  string
}

func (s meaning) String() string {
	text, _ := json.MarshalIndent(s, "", " ")
	return string(text)
}

// gather joins the pieces of events.
func gather(events []llm.Event) string {
	var s meaning
	calls := map[int]int{}
	last := llm.EventBlockEnd
	for _, e := range events {
		switch e.Kind {
		case llm.EventText, llm.EventReasoning, llm.EventRefusal, llm.EventSignature:
			if last != e.Kind {
				s.Blocks = append(s.Blocks, fmt.Sprintf("%d: ", e.Kind))
			}
			s.Blocks[len(s.Blocks)-1] += e.Text
		case llm.EventToolStart:
			calls[e.Tool] = len(s.Blocks)
			s.Blocks = append(s.Blocks, fmt.Sprintf("call %s %s ", e.ID, e.Name))
		case llm.EventToolArgs:
			s.Blocks[calls[e.Tool]] += e.Text
		case llm.EventOther, llm.EventMedia:
			s.Blocks = append(s.Blocks, "other "+e.Text)
		case llm.EventUsage:
			s.Usage = e.Usage
		case llm.EventFinish:
			s.Reason = e.Reason
		case llm.EventEnd:
			s.Ended = true
		case llm.EventError:
			s.Error = e.Err.Message
		case llm.EventPing, llm.EventCitation, llm.EventLogprobs:
			continue
		}
		last = e.Kind
	}
	return s.String()
}

// response is a response as encoding/json reads it.
type response struct {
	Status            string
	IncompleteDetails struct{ Reason string } `json:"incomplete_details"`
	Error             *struct{ Message string }
	Output            []outItem
	Usage             struct {
		InputTokens        int64            `json:"input_tokens"`
		OutputTokens       int64            `json:"output_tokens"`
		TotalTokens        int64            `json:"total_tokens"`
		InputTokensDetails map[string]int64 `json:"input_tokens_details"`
		OutputDetails      map[string]int64 `json:"output_tokens_details"`
	}
}

type outItem struct {
	Type, Name       string
	Arguments        any    // of a function a string
	CallID           string `json:"call_id"`
	Encrypted        string `json:"encrypted_content"`
	Content, Summary []struct{ Type, Text, Refusal string }
}

// readByHand reads a recording without the decoder: the last event of a stream
// holds all of it, or the items that were done do. It is not ok where somebody
// has taken deltas out of the recording.
func readByHand(t *testing.T, r *recording) (text string, ok bool) {
	t.Helper()
	var last response
	if r.Response.Kind == "json" {
		if err := json.Unmarshal(r.Response.Body, &last); err != nil {
			t.Fatal(err)
		}
		return last.said(true), true
	}
	items, pieces := map[int]outItem{}, map[string]string{}
	ended, ok := false, true
	for _, line := range r.Response.RawLines {
		line = strings.TrimSpace(strings.TrimPrefix(line, "data:"))
		var e struct {
			Type, Text string
			Delta      any
			Index      int `json:"output_index"`
			Part       int `json:"content_index"`
			Item       outItem
			Response   response
		}
		if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &e) != nil {
			continue
		}
		part := fmt.Sprint(e.Index, e.Part)
		switch e.Type {
		case "response.output_text.delta":
			pieces[part] += e.Delta.(string)
		case "response.output_text.done":
			ok = ok && pieces[part] == e.Text
		case "response.output_item.done":
			items[e.Index] = e.Item
		case "response.completed", "response.incomplete":
			last, ended = e.Response, true
		}
	}
	if len(items) > 0 {
		last.Output = nil
		for _, i := range slices.Sorted(maps.Keys(items)) {
			last.Output = append(last.Output, items[i])
		}
	}
	return last.said(ended), ok
}

func (r *response) said(ended bool) string {
	s := meaning{Ended: ended, Reason: llm.FinishStop}
	for _, item := range r.Output {
		switch item.Type {
		case "message":
			for _, p := range item.Content {
				if p.Refusal != "" {
					s.Blocks = append(s.Blocks, fmt.Sprintf("%d: %s", llm.EventRefusal, p.Refusal))
				} else if p.Text != "" {
					s.Blocks = append(s.Blocks, fmt.Sprintf("%d: %s", llm.EventText, p.Text))
				}
			}
		case "reasoning":
			var texts []string
			for _, p := range append(item.Content, item.Summary...) {
				if p.Text != "" {
					texts = append(texts, p.Text)
				}
			}
			if len(texts) > 0 {
				s.Blocks = append(s.Blocks, fmt.Sprintf("%d: %s", llm.EventReasoning, strings.Join(texts, "\n\n")))
			}
			if item.Encrypted != "" {
				s.Blocks = append(s.Blocks, fmt.Sprintf("%d: attache:responses:%s", llm.EventSignature, item.Encrypted))
			}
		case "function_call":
			s.Blocks = append(s.Blocks, fmt.Sprintf("call %s %s %s", item.CallID, item.Name, item.Arguments))
			s.Reason = llm.FinishToolCalls
		default:
			s.Blocks = append(s.Blocks, "other "+item.Type)
		}
	}
	switch r.Status {
	case "incomplete":
		s.Reason = llm.FinishLength
	case "queued", "in_progress":
		s.Reason = ""
	}
	u := &r.Usage
	s.Usage = llm.Usage{Input: u.InputTokens, Output: u.OutputTokens, CacheRead: u.InputTokensDetails["cached_tokens"],
		CacheWrite: u.InputTokensDetails["cache_write_tokens"], Reasoning: u.OutputDetails["reasoning_tokens"]}
	return s.String()
}
