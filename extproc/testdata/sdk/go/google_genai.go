package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/genai"
)

var googleGenAI = client{
	"chat": func(ctx context.Context, c cell) error {
		for _, model := range []string{c.model, c.direct} {
			answer, err := generate(ctx, model, genai.Text(c.hi), &genai.GenerateContentConfig{
				SystemInstruction: genai.NewContentFromText("Be brief.", genai.RoleUser), MaxOutputTokens: 50})
			if err != nil {
				return err
			}
			if err := errors.Join(
				want("text", answer.Text(), c.text), want("finish reason", answer.Candidates[0].FinishReason, genai.FinishReasonStop),
				want("output tokens", answer.UsageMetadata.CandidatesTokenCount, 3)); err != nil {
				return err
			}
		}
		return nil
	},
	"stream": func(ctx context.Context, c cell) error {
		text, last, err := generateStream(ctx, c.model, genai.Text(c.hi), nil)
		if err != nil {
			return err
		}
		return errors.Join(want("text", text, c.text), want("output tokens", last.UsageMetadata.CandidatesTokenCount, 3))
	},
	"tools": func(ctx context.Context, c cell) error {
		answer, err := generate(ctx, c.model, genai.Text(c.ask), contentTools())
		if err != nil {
			return err
		}
		return answerContent(ctx, c, answer)
	},
	"streamed_tools": func(ctx context.Context, c cell) error {
		_, last, err := generateStream(ctx, c.model, genai.Text(c.ask), contentTools())
		if err != nil {
			return err
		}
		return answerContent(ctx, c, last)
	},
	"structured": func(ctx context.Context, c cell) error {
		answer, err := generate(ctx, c.model, genai.Text(c.hi), &genai.GenerateContentConfig{ResponseMIMEType: "application/json", ResponseJsonSchema: schema})
		if err != nil {
			return err
		}
		return wantCity(answer.Text())
	},
	"images": func(ctx context.Context, c cell) error {
		png, err := base64.StdEncoding.DecodeString(pixel)
		if err != nil {
			return err
		}
		content := genai.NewContentFromParts([]*genai.Part{genai.NewPartFromText(c.hi), genai.NewPartFromBytes(png, "image/png")}, genai.RoleUser)
		answer, err := generate(ctx, c.model, []*genai.Content{content}, nil)
		if err != nil {
			return err
		}
		return want("text", answer.Text(), c.text+" I see 1 images.")
	},
	"broken_stream": func(ctx context.Context, c cell) error {
		text, _, err := generateStream(ctx, c.broken, genai.Text(c.hi), nil)
		return wantBroken(text, err)
	},
	"errors": func(ctx context.Context, c cell) error {
		hot := &genai.GenerateContentConfig{HTTPOptions: &genai.HTTPOptions{ExtraBody: map[string]any{"generationConfig": map[string]any{"temperature": "hot"}}}}
		_, stranger := contentClient(ctx, "sk-foreign").GenerateContent(ctx, c.model, genai.Text(c.hi), nil)
		_, missing := generate(ctx, "nobody", genai.Text(c.hi), nil)
		_, bad := generate(ctx, c.model, genai.Text(c.hi), hot)
		_, busy := generate(ctx, c.busy, genai.Text(c.hi), nil)
		_, _, busyStream := generateStream(ctx, c.busy, genai.Text(c.hi), nil)
		return errors.Join(
			contentFailure(stranger, 401, "UNAUTHENTICATED", ""), contentFailure(missing, 404, "NOT_FOUND", ""),
			contentFailure(bad, 400, "INVALID_ARGUMENT", "generationConfig.temperature"),
			contentFailure(busy, 429, "RESOURCE_EXHAUSTED", "retryDelay:7s"), contentFailure(busyStream, 429, "RESOURCE_EXHAUSTED", "retryDelay:7s"))
	},
	"count": func(ctx context.Context, c cell) error {
		var n [2]int32
		for i, text := range []string{"Hi", strings.Repeat("Hi ", 100)} {
			count, err := contentClient(ctx, key).CountTokens(ctx, c.model, genai.Text(text), nil)
			if err != nil {
				return err
			}
			n[i] = count.TotalTokens
		}
		return want("0 < few < many < 1000", 0 < n[0] && n[0] < n[1] && n[1] < 1000, true)
	},
}

func contentClient(ctx context.Context, key string) *genai.Models {
	c, err := genai.NewClient(ctx, &genai.ClientConfig{APIKey: key, Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: baseURL}})
	if err != nil {
		panic(err)
	}
	return c.Models
}

func generate(ctx context.Context, model string, contents []*genai.Content, config *genai.GenerateContentConfig) (*genai.GenerateContentResponse, error) {
	return contentClient(ctx, key).GenerateContent(ctx, model, contents, config)
}

// generateStream returns the text of a stream and its last chunk.
func generateStream(ctx context.Context, model string, contents []*genai.Content, config *genai.GenerateContentConfig) (text string, last *genai.GenerateContentResponse, err error) {
	for chunk, err := range contentClient(ctx, key).GenerateContentStream(ctx, model, contents, config) {
		if err != nil {
			return text, nil, err
		}
		text, last = text+chunk.Text(), chunk
	}
	return text, last, nil
}

func contentTools() *genai.GenerateContentConfig {
	tool := &genai.Tool{}
	for _, name := range []string{"weather", "time"} {
		tool.FunctionDeclarations = append(tool.FunctionDeclarations, &genai.FunctionDeclaration{Name: name, Description: "Tells the " + name + ".", ParametersJsonSchema: schema})
	}
	return &genai.GenerateContentConfig{Tools: []*genai.Tool{tool}}
}

// answerContent sends the result of the call that an answer asks for.
func answerContent(ctx context.Context, c cell, answer *genai.GenerateContentResponse) error {
	calls := answer.FunctionCalls()
	if len(calls) != 1 {
		return fmt.Errorf("calls: %v", calls)
	}
	args, err := json.Marshal(calls[0].Args)
	if err != nil {
		return err
	}
	part := genai.NewPartFromFunctionResponse(calls[0].Name, map[string]any{"result": result})
	part.FunctionResponse.ID = calls[0].ID
	back, err := generate(ctx, c.model, append(genai.Text(c.ask), answer.Candidates[0].Content, genai.NewContentFromParts([]*genai.Part{part}, genai.RoleUser)), contentTools())
	if err != nil {
		return err
	}
	return errors.Join(want("name", calls[0].Name, "weather"), wantCity(string(args)), want("text", back.Text(), c.text))
}

func contentFailure(err error, code int, status, part string) error {
	var e genai.APIError
	if !errors.As(err, &e) {
		return fmt.Errorf("no API error: %w", err)
	}
	return errors.Join(want("code", e.Code, code), want("status", e.Status, status),
		want("names "+part, strings.Contains(e.Message+fmt.Sprint(e.Details), part), true))
}
