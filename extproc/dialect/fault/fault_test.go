package fault

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   llm.Error
	}{
		{429, `{"error":{"message":"slow","type":"requests","param":null,"code":"rate_limit_exceeded"}}`,
			llm.Error{Status: 429, Code: "rate_limit_exceeded", Message: "slow", Type: "requests"}},
		{400, `{"code":"bad key","error":"Incorrect API key."}`, llm.Error{Status: 400, Code: "bad key", Message: "Incorrect API key."}},
		{400, `[{"error":{"code":400,"message":"x","status":"INVALID"}}]`, llm.Error{Status: 400, Code: "invalid_request", Message: "x"}},
		{0, `{"code":"server_error","message":"oops","param":"input"}`, llm.Error{Status: 500, Code: "server_error", Message: "oops", Param: "input"}},
		{0, `{"code":"rate_limit_exceeded","message":"slow"}`, llm.Error{Status: 429, Code: "rate_limit_exceeded", Message: "slow"}},
		{400, `{"error":{"message":"This model's maximum context length is 5 tokens."}}`,
			llm.Error{Status: 400, Code: codeContext, Message: "This model's maximum context length is 5 tokens."}},
		{503, `<html>`, llm.Error{Status: 503, Code: "upstream_error", Message: "the provider answered with status 503"}},
	} {
		if got := Decode(c.status, []byte(c.body)); *got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", c.body, *got, c.want)
		}
	}
}

func TestLongMessagesAreCut(t *testing.T) {
	body, _ := json.Marshal(map[string]any{"message": strings.Repeat("é", maxMessage)})
	if n := len(Decode(500, body).Message); n > maxMessage || n < maxMessage-1 {
		t.Errorf("%d bytes are left", n)
	}
}

func TestAppend(t *testing.T) {
	for _, c := range []struct {
		e    llm.Error
		want string
	}{
		{llm.Error{Status: 429, Code: "rate_limited", Message: "slow", Type: "overloaded_error"},
			`{"error":{"message":"slow","type":"rate_limit_error","param":null,"code":"rate_limited"}}`},
		{llm.Error{Status: 400, Message: "prompt is too long: 3 > 2", Param: "input"},
			`{"error":{"message":"prompt is too long: 3 > 2","type":"invalid_request_error","param":"input","code":"context_length_exceeded"}}`},
	} {
		if got := string(Append(nil, &c.e)); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
