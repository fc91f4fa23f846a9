package dialect_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A geminiAnswer is what Google's protocol buffers allow of an answer, as far as
// the dialect writes it.
type geminiAnswer struct {
	Candidates []struct {
		Content struct {
			Role  string `json:"role"`
			Parts []struct {
				Text             *string `json:"text"`
				Thought          bool    `json:"thought"`
				ThoughtSignature string  `json:"thoughtSignature"`
				InlineData       *struct {
					MimeType string `json:"mimeType"`
					Data     []byte `json:"data"`
				} `json:"inlineData"`
				FunctionCall *struct {
					ID   string         `json:"id"`
					Name string         `json:"name"`
					Args map[string]any `json:"args"`
				} `json:"functionCall"`
			} `json:"parts"`
		} `json:"content"`
		GroundingMetadata *struct {
			GroundingChunks []struct {
				Web struct {
					URI   string `json:"uri"`
					Title string `json:"title"`
				} `json:"web"`
			} `json:"groundingChunks"`
			GroundingSupports []struct {
				Segment struct {
					StartIndex int `json:"startIndex"`
					EndIndex   int `json:"endIndex"`
				} `json:"segment"`
				GroundingChunkIndices []int `json:"groundingChunkIndices"`
			} `json:"groundingSupports"`
		} `json:"groundingMetadata"`
		LogprobsResult *struct {
			ChosenCandidates []likely `json:"chosenCandidates"`
			TopCandidates    []struct {
				Candidates []likely `json:"candidates"`
			} `json:"topCandidates"`
		} `json:"logprobsResult"`
		FinishReason string `json:"finishReason"`
		Index        int    `json:"index"`
	} `json:"candidates"`
	UsageMetadata *struct {
		PromptTokenCount        int `json:"promptTokenCount"`
		CachedContentTokenCount int `json:"cachedContentTokenCount"`
		CandidatesTokenCount    int `json:"candidatesTokenCount"`
		ThoughtsTokenCount      int `json:"thoughtsTokenCount"`
		TotalTokenCount         int `json:"totalTokenCount"`

		PromptTokensDetails     []counted `json:"promptTokensDetails"`
		CandidatesTokensDetails []counted `json:"candidatesTokensDetails"`
	} `json:"usageMetadata"`
	ModelVersion string `json:"modelVersion"`
	ResponseID   string `json:"responseId"`
}

type likely struct {
	Token          string  `json:"token"`
	LogProbability float64 `json:"logProbability"`
}

type counted struct {
	Modality   string `json:"modality"`
	TokenCount int    `json:"tokenCount"`
}

// checkGemini validates what Google's SDKs are sent.
func checkGemini(stream bool, out []byte) error {
	objects := [][]byte{out}
	if stream {
		objects = nil
		for _, block := range strings.SplitAfter(string(out), "\r\n\r\n") {
			data, ok := strings.CutPrefix(block, "data: ")
			switch {
			case block == "":
			case !ok:
				return fmt.Errorf("a block that SDKs cannot read: %q", block)
			case !strings.Contains(data, `{"error":`):
				objects = append(objects, []byte(data))
			}
		}
	}
	for i, object := range objects {
		var a geminiAnswer
		dec := json.NewDecoder(bytes.NewReader(object))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&a); err != nil {
			return err
		}
		if err := a.check(len(objects) == 1, i == len(objects)-1); err != nil {
			return fmt.Errorf("%w: %s", err, object)
		}
	}
	return nil
}

// check looks at one object. SDKs forget a turn of which one object has no
// content or an empty text; an answer that is empty altogether they must.
func (a *geminiAnswer) check(only, last bool) error {
	switch {
	case len(a.Candidates) == 0 || a.ModelVersion == "" || a.ResponseID == "":
		return errors.New("no candidate, model or id")
	case last && (a.UsageMetadata == nil || a.Candidates[0].FinishReason == ""):
		return errors.New("no usage or finish reason at the end")
	case !last && a.Candidates[0].FinishReason != "":
		return errors.New("a finish reason before the end")
	}
	for _, c := range a.Candidates {
		if len(c.Content.Parts) == 0 && !only || c.Content.Role != "model" {
			return errors.New("a candidate without content")
		}
		for _, p := range c.Content.Parts {
			switch {
			case p.Text != nil && *p.Text == "":
				return errors.New("an empty text")
			case p.Text == nil && p.FunctionCall == nil && p.InlineData == nil && !p.Thought:
				return errors.New("an empty part")
			case p.FunctionCall != nil && (p.FunctionCall.Name == "" || p.FunctionCall.Args == nil):
				return errors.New("a call without a name or arguments")
			}
			if _, err := base64.StdEncoding.DecodeString(p.ThoughtSignature); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkGeminiRequest checks that what was written is a request that Google takes:
// the dialect reads it again, all members have a meaning there, and each turn
// with calls is followed by as many results.
func checkGeminiRequest(body []byte) error {
	r, err := geminiAPI.DecodeRequest(llm.OpChat, body)
	if err != nil {
		return err
	}
	if len(r.Extra) > 0 {
		return fmt.Errorf("members without a meaning: %v", r.Extra)
	}
	count := func(m llm.Message, kind llm.PartKind) (n int) {
		for _, p := range m.Parts {
			if p.Kind == kind {
				n++
			}
		}
		return n
	}
	for i, m := range r.Messages {
		n := count(m, llm.PartToolCall)
		if n > 0 && i+1 < len(r.Messages) && count(r.Messages[i+1], llm.PartToolResult) != n {
			return fmt.Errorf("%d calls are not followed by as many results", n)
		}
		if m.Role == llm.RoleAssistant && n > 0 && !bytes.Contains(body, []byte("thoughtSignature")) {
			return errors.New("unsigned calls")
		}
	}
	return nil
}
