package dialect

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

// checkOne sends one member through the tables.
func checkOne(client, path, value string, own map[string]Crossings) (warnings []string, copied string, err error) {
	body := []byte(value)
	n := &Notes{API: "the API", Request: &llm.Request{Dialect: client, Body: llm.Body{Raw: body},
		Extra: []llm.Member{{Name: path, Value: llm.Span{End: len(body)}}}}}
	err = n.CheckExtra(own, func(as string, value []byte) { copied = as + "=" + string(value) })
	return n.Warnings, copied, err
}

// Every member without a canonical field is refused or warned about by the name
// that the client gave it, unless its value asks for nothing.
func TestCommonCrossings(t *testing.T) {
	for client, table := range members {
		for path, c := range table {
			warnings, _, err := checkOne(client, path, `{"x":1}`, nil)
			var e *llm.Error
			switch {
			case c.Own && (err != nil || len(warnings) > 0):
				t.Errorf("%s %s: %v, %q", client, path, err, warnings)
			case c.Own:
			case c.Reason == "" || strings.HasPrefix(c.Reason, "left out"):
				t.Errorf("%s %s: the reason %q", client, path, c.Reason)
			case c.Refuse && (!errors.As(err, &e) || e.Code != llm.CodeUnsupported || e.Param != path || e.Message != strings.ReplaceAll(c.Reason, "the target", "the API")):
				t.Errorf("%s %s: %v", client, path, err)
			case !c.Refuse && (err != nil || !slices.Equal(warnings, []string{path + ": left out: " + strings.ReplaceAll(c.Reason, "the target", "the API")})):
				t.Errorf("%s %s: %v, %q", client, path, err, warnings)
			}
			for _, idle := range []string{"null", c.Idle} {
				if idle == "" {
					continue
				}
				if warnings, _, err := checkOne(client, path, idle, nil); err != nil || len(warnings) > 0 {
					t.Errorf("%s %s %s: %v, %q", client, path, idle, err, warnings)
				}
			}
		}
	}
}

func TestCheckExtra(t *testing.T) {
	own := map[string]Crossings{llm.OpenAI: {"metadata": {As: "labels"}, "store": {Refuse: true, Reason: "no"}}}
	for name, c := range map[string]struct{ path, value, warning, copied, refusal string }{
		"what the target knows better":         {"store", "true", "", "", "no"},
		"what it takes under another name":     {"metadata", "{}", "", "labels={}", ""},
		"what nobody knows":                    {"brand_new", "1", "brand_new: left out: the API does not know it", "", ""},
		"part of an object that is in a table": {"prediction.content", `"x"`, "prediction.content: left out: the API takes no predictions", "", ""},
		"an element":                           {"messages[3].reasoning_details", "[]", "messages[3].reasoning_details: left out: they are another provider's", "", ""},
		"a refusal is of the whole":            {"audio.new", "1", "audio.new: left out: the API does not know it", "", ""},
		"the dialect's own business":           {"stream_options.new", "1", "", "", ""},
	} {
		warnings, copied, err := checkOne(llm.OpenAI, c.path, c.value, own)
		var e *llm.Error
		if errors.As(err, &e) != (c.refusal != "") || e != nil && e.Message != c.refusal || copied != c.copied || strings.Join(warnings, ";") != c.warning {
			t.Errorf("%s: %q, %q, %v", name, warnings, copied, err)
		}
	}
}

// The client reads its own names, and of several the one that it has used.
func TestNames(t *testing.T) {
	for _, c := range []struct{ client, body, field, want string }{
		{llm.Anthropic, `stop_sequences`, "stop", "stop_sequences"},
		{llm.Gemini, `generationConfig`, "temperature", "generationConfig.temperature"},
		{llm.Bedrock, `inferenceConfig`, "top_p", "inferenceConfig.topP"},
		{llm.Bedrock, `outputConfig`, "reasoning_effort", "outputConfig.effort"},
		{llm.Responses, `text`, "response_format", "text.format"},
		{llm.OpenAI, `max_tokens`, "max_tokens", "max_tokens"},
		{llm.OpenAI, `model`, "max_tokens", "max_completion_tokens"},
		{llm.OpenAI, `seed`, "seed", "seed"},
		{"another", `x`, "stop", "stop"},
	} {
		body := []byte(`{"` + c.body + `":1}`)
		r := &llm.Request{Dialect: c.client, Body: llm.Body{Raw: body, Members: []llm.Member{{Name: c.body, Value: llm.Span{Start: len(body) - 2, End: len(body) - 1}}}}}
		if got := Name(r, c.field); got != c.want {
			t.Errorf("%s calls %s %s, want %s", c.client, c.field, got, c.want)
		}
	}
}

// Two parts that say the same are told apart by where they stand.
func TestPlace(t *testing.T) {
	body := []byte(`{"messages":[{"x":1},{"x":1}]}`)
	n := &Notes{Request: &llm.Request{Dialect: llm.Gemini, Body: llm.Body{Raw: body}}}
	for _, c := range []struct {
		raw  []byte
		want string
	}{
		{nil, "contents"}, {body[13:20], "messages[0]"}, {body[21:28], "messages[1]"}, {[]byte(`{"y":1}`), "contents"},
	} {
		if got := n.Place(c.raw, "messages"); got != c.want {
			t.Errorf("%s: %s, want %s", c.raw, got, c.want)
		}
	}
}

func TestMarks(t *testing.T) {
	mark := func(ttl string) []llm.Part { return []llm.Part{{Cache: &llm.Cache{TTL: ttl}}} }
	for name, c := range map[string]struct {
		given, want []string
		warnings    int
	}{
		"four":                      {[]string{"1h", "1h", "5m", ""}, []string{"1h", "1h", "5m", ""}, 0},
		"of five the first goes":    {[]string{"1h", "1h", "5m", "", "5m"}, []string{"-", "1h", "5m", "", "5m"}, 1},
		"an hour behind minutes":    {[]string{"5m", "1h"}, []string{"5m", "5m"}, 1},
		"an hour behind the usual":  {[]string{"", "1h"}, []string{"", "5m"}, 1},
		"lifetimes of other APIs":   {[]string{"12h", "30m"}, []string{"1h", "5m"}, 2},
		"a lifetime nobody knows":   {[]string{"7d"}, []string{""}, 1},
		"none counts for the order": {[]string{"5m", "1h", "1h", "1h", "1h"}, []string{"-", "1h", "1h", "1h", "1h"}, 1},
	} {
		n := &Notes{Request: &llm.Request{}}
		for _, ttl := range c.given {
			n.Request.Messages = append(n.Request.Messages, llm.Message{Parts: mark(ttl)})
		}
		marks := NewMarks(n, false)
		var got []string
		for _, m := range n.Request.Messages {
			if w := marks.Next(m.Parts[0].Cache); w != nil {
				got = append(got, w.TTL)
			} else {
				got = append(got, "-")
			}
		}
		if !slices.Equal(got, c.want) || len(n.Warnings) != c.warnings {
			t.Errorf("%s: %q with %q, want %q", name, got, n.Warnings, c.want)
		}
	}
}
