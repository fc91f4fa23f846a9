package gateway

import (
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

func TestAmazonFront(t *testing.T) {
	for _, c := range []struct {
		path  string
		asked asked // without a model: no path of Amazon's that is served
	}{
		{"/model/us.anthropic.claude-sonnet-4-6/converse", asked{model: "us.anthropic.claude-sonnet-4-6"}},
		{"/model/amazon.nova-lite-v1%3A0/converse-stream", asked{model: "amazon.nova-lite-v1:0", stream: true}},
		{"/model/amazon.nova-lite-v1:0/converse/", asked{model: "amazon.nova-lite-v1:0"}},
		{"/model/openai/gpt-4o/converse", asked{model: "openai/gpt-4o"}},
		{"/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Feu.x.y/converse?a=b",
			asked{model: "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.x.y"}},
		{"/model/m/invoke", asked{}},
		{"/model//converse", asked{}},
		{"/model/converse", asked{}},
	} {
		f, err := frontOf(&Head{Method: "POST", Path: c.path})
		switch {
		case f.dialect != llm.Bedrock:
			t.Errorf("%s: the dialect is %s", c.path, f.dialect)
		case c.asked.model == "":
			if err == nil || err.Status != 404 {
				t.Errorf("%s: got %v", c.path, err)
			}
		case err != nil || f.op != llm.OpChat || f.asked != c.asked:
			t.Errorf("%s: got %+v, %v", c.path, f, err)
		}
	}
	if _, err := frontOf(&Head{Method: "GET", Path: "/model/m/converse"}); err == nil || err.Status != 405 {
		t.Errorf("GET: got %v", err)
	}
}
