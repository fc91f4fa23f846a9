package dialect_test

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A reading is what a response says.
type reading struct {
	Text, Reasoning, Signature string
	Calls                      []call
	Sources                    []string // addresses of what was cited
	Tokens                     int      // whose probabilities were told
	Reason                     llm.FinishReason
	Usage                      llm.Usage
	Error                      string
	Ended                      bool
}

type call struct {
	ID, Name string
	Args     any
}

func read(events []llm.Event) (out reading) {
	args := map[int]string{}
	for _, e := range events {
		if e.Choice > 0 {
			continue // no other format has several answers; asking for them is refused
		}
		switch e.Kind {
		case llm.EventText, llm.EventRefusal:
			out.Text += e.Text
		case llm.EventReasoning:
			out.Reasoning += e.Text
		case llm.EventSignature:
			out.Signature += strings.TrimPrefix(e.Text, "YXR0YWNoZTp1bnNpZ25lZA==") // stands for none
		case llm.EventToolStart:
			out.Calls = append(out.Calls, call{ID: e.ID, Name: e.Name})
			out.Signature += e.Signature
		case llm.EventToolArgs:
			args[e.Tool] += e.Text
		case llm.EventCitation:
			if strings.Contains(e.Citation.URL, "://") {
				out.Sources = append(out.Sources, e.Citation.URL)
			}
		case llm.EventLogprobs:
			out.Tokens += len(e.Logprobs.Tokens)
		case llm.EventUsage:
			out.Usage = e.Usage
		case llm.EventFinish:
			out.Reason = e.Reason
		case llm.EventError:
			out.Error = e.Err.Message
		case llm.EventEnd:
			out.Ended = true
		}
	}
	out.Signature = strings.ReplaceAll(out.Signature, "attache:unsigned:", "") // our own marks
	slices.Sort(out.Sources)
	for i := range out.Calls {
		text := strings.TrimSpace(args[i])
		if text == "" {
			text = "{}"
		}
		if json.Unmarshal([]byte(text), &out.Calls[i].Args) != nil {
			out.Calls[i].Args = text
		}
	}
	return out
}

// reasons are the finish reasons that a dialect has another name for.
var reasons = map[string]map[llm.FinishReason]llm.FinishReason{
	llm.OpenAI:    lengthOrFilter,
	llm.Responses: lengthOrFilter,
	llm.Gemini:    lengthOrFilter,
	llm.Anthropic: {llm.FinishContentFilter: llm.FinishRefusal},
	llm.Bedrock:   {llm.FinishRefusal: llm.FinishContentFilter, llm.FinishPause: llm.FinishStop},
}

var lengthOrFilter = map[llm.FinishReason]llm.FinishReason{
	llm.FinishStopSequence: llm.FinishStop,
	llm.FinishContext:      llm.FinishLength,
	llm.FinishRefusal:      llm.FinishContentFilter,
	llm.FinishPause:        llm.FinishStop,
}

// expected is what a client of a dialect should read.
func expected(want reading, to string) reading {
	if other, ok := reasons[to][want.Reason]; ok {
		want.Reason = other
	}
	if len(want.Calls) > 0 && (want.Reason == llm.FinishStop || want.Reason == "") {
		want.Reason = llm.FinishToolCalls
	}
	if want.Reason == "" || want.Reason == llm.FinishToolCalls && len(want.Calls) == 0 {
		want.Reason = llm.FinishStop
	}
	u := &want.Usage
	if to == llm.OpenAI || to == llm.Gemini { // these have no such count
		u.CacheWriteHour = 0
	}
	if to == llm.Gemini {
		u.CacheWrite = 0
	}
	if to == llm.Bedrock {
		u.Reasoning = 0
	}
	if to != llm.OpenAI && to != llm.Gemini {
		u.AudioInput, u.AudioOutput = 0, 0
	}
	if to == llm.Anthropic || to == llm.Bedrock {
		want.Tokens = 0
	}
	return want
}

// compareCalls makes ids equal where the provider's would not be taken.
func compareCalls(got, want *reading) {
	for i := range min(len(got.Calls), len(want.Calls)) {
		id := want.Calls[i].ID
		if ok := id != "" && len(id) <= 64 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""; !ok && got.Calls[i].ID != "" {
			want.Calls[i].ID = got.Calls[i].ID
		}
	}
}
