package exception

import (
	"testing"

	"github.com/attache-gateway/attache/extproc/dialect/eventstream"
	"github.com/attache-gateway/attache/extproc/llm"
)

func TestDecodeNoCount(t *testing.T) {
	head := []llm.Header{{Name: "x-amzn-errortype", Value: "ValidationException:http://internal.amazon.com/coral/com.amazon.bedrock/"}}
	want := llm.Error{Status: 501, Code: llm.CodeUnsupported, Message: "The provided model doesn't support counting tokens.", Type: "ValidationException"}
	if got := Decode(400, head, []byte(`{"message":"The provided model doesn't support counting tokens."}`)); *got != want {
		t.Errorf("got %+v", *got)
	}
}

func TestOf(t *testing.T) {
	field := func(name, value string) eventstream.Field { return eventstream.Field{Name: name, Value: value} }
	for _, c := range []struct {
		headers []eventstream.Field
		payload string
		want    *llm.Error
	}{
		{[]eventstream.Field{field(":message-type", "event"), field(":event-type", "chunk")}, `{}`, nil},
		{[]eventstream.Field{field(":message-type", "exception"), field(":exception-type", "throttlingException")}, `{"message":"slow"}`,
			&llm.Error{Status: 429, Code: llm.CodeRateLimited, Message: "slow", Type: "ThrottlingException"}},
		{[]eventstream.Field{field(":message-type", "exception")}, ``,
			&llm.Error{Status: 500, Code: llm.CodeUpstreamError, Message: "the provider ended the answer with an error"}},
		{[]eventstream.Field{field(":message-type", "error"), field(":error-code", "modelTimeoutException"), field(":error-message", "late")}, ``,
			&llm.Error{Status: 504, Code: llm.CodeUpstreamTimeout, Message: "late", Type: "ModelTimeoutException"}},
	} {
		raw := eventstream.End(append(eventstream.Begin(nil, c.headers...), c.payload...), 0)
		err := eventstream.New(1<<10).Split(raw, func(m *eventstream.Message) error {
			if got := Of(m); (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
				t.Errorf("%v: got %v, want %v", c.headers, got, c.want)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
