package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/anthropics/anthropic-sdk-go/packages/ssestream"
)

var anthropicMessages = client{
	"chat": func(ctx context.Context, c cell) error {
		for _, model := range []string{c.model, c.direct} {
			ask := messageTo(model, anthropic.NewTextBlock(c.hi))
			ask.System = []anthropic.TextBlockParam{{Text: "Be brief."}}
			answer, err := messages.New(ctx, ask)
			if err != nil {
				return err
			}
			if err := errors.Join(
				want("text", answer.Content[0].Text, c.text), want("stop reason", answer.StopReason, "end_turn"),
				want("output tokens", answer.Usage.OutputTokens, 3)); err != nil {
				return err
			}
		}
		return nil
	},
	"stream": func(ctx context.Context, c cell) error {
		answer, err := accumulateMessage(messages.NewStreaming(ctx, messageTo(c.model, anthropic.NewTextBlock(c.hi))))
		if err != nil {
			return err
		}
		return errors.Join(want("text", answer.Content[0].Text, c.text), want("output tokens", answer.Usage.OutputTokens, 3))
	},
	"tools": func(ctx context.Context, c cell) error {
		answer, err := messages.New(ctx, messageWithTools(c))
		if err != nil {
			return err
		}
		return answerMessage(ctx, c, answer)
	},
	"streamed_tools": func(ctx context.Context, c cell) error {
		answer, err := accumulateMessage(messages.NewStreaming(ctx, messageWithTools(c)))
		if err != nil {
			return err
		}
		return answerMessage(ctx, c, answer)
	},
	"structured": func(ctx context.Context, c cell) error {
		ask := messageTo(c.model, anthropic.NewTextBlock(c.hi))
		ask.OutputConfig.Format.Schema = schema
		answer, err := messages.New(ctx, ask)
		if err != nil {
			return err
		}
		return wantCity(answer.Content[0].Text)
	},
	"images": func(ctx context.Context, c cell) error {
		answer, err := messages.New(ctx, messageTo(c.model, anthropic.NewImageBlockBase64("image/png", pixel), anthropic.NewTextBlock(c.hi)))
		if err != nil {
			return err
		}
		return want("text", answer.Content[0].Text, c.text+" I see 1 images.")
	},
	"broken_stream": func(ctx context.Context, c cell) error {
		answer, err := accumulateMessage(messages.NewStreaming(ctx, messageTo(c.broken, anthropic.NewTextBlock(c.hi))))
		return wantBroken(answer.Content[0].Text, err)
	},
	"errors": func(ctx context.Context, c cell) error {
		call := func(model string, more ...option.RequestOption) error {
			_, err := messages.New(ctx, messageTo(model, anthropic.NewTextBlock(c.hi)), more...)
			return err
		}
		return errors.Join(
			anthropicFailure(call(c.model, option.WithAPIKey("sk-foreign")), 401, "authentication_error", "", ""),
			anthropicFailure(call("nobody"), 404, "not_found_error", "", ""),
			anthropicFailure(call(c.model, option.WithJSONSet("temperature", "hot")), 400, "invalid_request_error", "temperature: ", ""),
			anthropicFailure(call(c.busy), 429, "rate_limit_error", "", "7"),
			anthropicFailure(messages.NewStreaming(ctx, messageTo(c.busy, anthropic.NewTextBlock(c.hi))).Err(), 429, "rate_limit_error", "", "7"))
	},
	"count": func(ctx context.Context, c cell) error {
		var n [2]int64
		for i, text := range []string{"Hi", strings.Repeat("Hi ", 100)} {
			count, err := messages.CountTokens(ctx, anthropic.MessageCountTokensParams{
				Model: c.model, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(text))}})
			if err != nil {
				return err
			}
			n[i] = count.InputTokens
		}
		return want("0 < few < many < 1000", 0 < n[0] && n[0] < n[1] && n[1] < 1000, true)
	},
}

var (
	anthropicClient = anthropic.NewClient(option.WithBaseURL(baseURL), option.WithAPIKey(key), option.WithMaxRetries(0))
	messages        = anthropicClient.Messages
)

func messageTo(model string, content ...anthropic.ContentBlockParamUnion) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{Model: model, MaxTokens: 64, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(content...)}}
}

func messageWithTools(c cell, more ...anthropic.MessageParam) anthropic.MessageNewParams {
	ask := messageTo(c.model, anthropic.NewTextBlock(c.ask))
	ask.Messages = append(ask.Messages, more...)
	for _, name := range []string{"weather", "time"} {
		ask.Tools = append(ask.Tools, anthropic.ToolUnionParamOfTool(anthropic.ToolInputSchemaParam{Properties: schema["properties"], Required: []string{"city"}}, name))
	}
	return ask
}

func accumulateMessage(s *ssestream.Stream[anthropic.MessageStreamEventUnion]) (*anthropic.Message, error) {
	var sum anthropic.Message
	for s.Next() {
		if err := sum.Accumulate(s.Current()); err != nil {
			return nil, err
		}
	}
	return &sum, s.Err()
}

// answerMessage sends the result of the call that a message asks for.
func answerMessage(ctx context.Context, c cell, message *anthropic.Message) error {
	if len(message.Content) != 1 {
		return fmt.Errorf("content: %v", message.Content)
	}
	use := message.Content[0]
	back, err := messages.New(ctx, messageWithTools(c, message.ToParam(), anthropic.NewUserMessage(anthropic.NewToolResultBlock(use.ID, result, false))))
	if err != nil {
		return err
	}
	return errors.Join(
		want("name", use.Name, "weather"), wantCity(string(use.Input)), want("stop reason", message.StopReason, "tool_use"),
		want("text", back.Content[0].Text, c.text))
}

func anthropicFailure(err error, status int, kind, part, after string) error {
	var e *anthropic.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("no API error: %w", err)
	}
	return errors.Join(
		want("status", e.StatusCode, status), want("type", string(e.Type()), kind), want("retry-after", e.Response.Header.Get("Retry-After"), after),
		want("names "+part, strings.Contains(e.RawJSON(), part), true))
}
