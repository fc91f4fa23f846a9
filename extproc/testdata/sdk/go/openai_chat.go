package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/ssestream"
)

var openAIChat = client{
	"chat": func(ctx context.Context, c cell) error {
		for _, model := range []string{c.model, c.direct} {
			answer, err := completions.New(ctx, chatOf(model, openai.DeveloperMessage("Be brief."), openai.UserMessage(c.hi)))
			if err != nil {
				return err
			}
			if err := errors.Join(
				want("text", answer.Choices[0].Message.Content, c.text),
				want("finish reason", answer.Choices[0].FinishReason, "stop"),
				want("output tokens", answer.Usage.CompletionTokens, 3)); err != nil {
				return err
			}
		}
		return nil
	},
	"stream": func(ctx context.Context, c cell) error {
		ask := chatOf(c.model, openai.UserMessage(c.hi))
		ask.StreamOptions.IncludeUsage = openai.Bool(true)
		answer, err := accumulate(completions.NewStreaming(ctx, ask))
		if err != nil {
			return err
		}
		return errors.Join(want("text", answer.Choices[0].Message.Content, c.text), want("output tokens", answer.Usage.CompletionTokens, 3))
	},
	"tools": func(ctx context.Context, c cell) error {
		answer, err := completions.New(ctx, chatWithTools(c))
		if err != nil {
			return err
		}
		return answerChat(ctx, c, answer)
	},
	"streamed_tools": func(ctx context.Context, c cell) error {
		answer, err := accumulate(completions.NewStreaming(ctx, chatWithTools(c)))
		if err != nil {
			return err
		}
		return answerChat(ctx, c, answer)
	},
	"structured": func(ctx context.Context, c cell) error {
		ask := chatOf(c.model, openai.UserMessage(c.hi))
		ask.ResponseFormat.OfJSONSchema = &openai.ResponseFormatJSONSchemaParam{
			JSONSchema: openai.ResponseFormatJSONSchemaJSONSchemaParam{Name: "place", Schema: schema, Strict: openai.Bool(true)}}
		answer, err := completions.New(ctx, ask)
		if err != nil {
			return err
		}
		return wantCity(answer.Choices[0].Message.Content)
	},
	"images": func(ctx context.Context, c cell) error {
		answer, err := completions.New(ctx, chatOf(c.model, openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
			openai.TextContentPart(c.hi),
			openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "data:image/png;base64," + pixel}),
		})))
		if err != nil {
			return err
		}
		return want("text", answer.Choices[0].Message.Content, c.text+" I see 1 images.")
	},
	"broken_stream": func(ctx context.Context, c cell) error {
		answer, err := accumulate(completions.NewStreaming(ctx, chatOf(c.broken, openai.UserMessage(c.hi))))
		return wantBroken(answer.Choices[0].Message.Content, err)
	},
	"errors": func(ctx context.Context, c cell) error {
		return openAIErrors(c, func(model string, more ...option.RequestOption) error {
			_, err := completions.New(ctx, chatOf(model, openai.UserMessage(c.hi)), more...)
			return err
		}, func(model string) error {
			return completions.NewStreaming(ctx, chatOf(model, openai.UserMessage(c.hi))).Err()
		})
	},
}

var (
	openAIClient = openai.NewClient(option.WithBaseURL(baseURL+"/v1"), option.WithAPIKey(key), option.WithMaxRetries(0))
	completions  = openAIClient.Chat.Completions
)

func chatOf(model string, messages ...openai.ChatCompletionMessageParamUnion) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{Model: model, Messages: messages, MaxCompletionTokens: openai.Int(50)}
}

func chatWithTools(c cell, more ...openai.ChatCompletionMessageParamUnion) openai.ChatCompletionNewParams {
	ask := chatOf(c.model, append([]openai.ChatCompletionMessageParamUnion{openai.UserMessage(c.ask)}, more...)...)
	for _, name := range []string{"weather", "time"} {
		ask.Tools = append(ask.Tools, openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
			Name: name, Description: openai.String("Tells the " + name + "."), Parameters: schema, Strict: openai.Bool(true)}))
	}
	return ask
}

// accumulate adds a stream up, which the SDK refuses to if a chunk does not fit.
func accumulate(s *ssestream.Stream[openai.ChatCompletionChunk]) (*openai.ChatCompletion, error) {
	var sum openai.ChatCompletionAccumulator
	for s.Next() {
		if !sum.AddChunk(s.Current()) {
			return nil, fmt.Errorf("a chunk does not fit: %s", s.Current().RawJSON())
		}
	}
	return &sum.ChatCompletion, s.Err()
}

// answerChat sends the result of the call that an answer asks for.
func answerChat(ctx context.Context, c cell, answer *openai.ChatCompletion) error {
	message := answer.Choices[0].Message
	if len(message.ToolCalls) != 1 {
		return fmt.Errorf("calls: %v", message.ToolCalls)
	}
	call := message.ToolCalls[0]
	back, err := completions.New(ctx, chatWithTools(c, message.ToParam(), openai.ToolMessage(result, call.ID)))
	if err != nil {
		return err
	}
	return errors.Join(
		want("name", call.Function.Name, "weather"), wantCity(call.Function.Arguments),
		want("finish reason", answer.Choices[0].FinishReason, "tool_calls"),
		want("text", back.Choices[0].Message.Content, c.text))
}

// openAIErrors provokes each failure of one of the APIs.
func openAIErrors(c cell, call func(model string, more ...option.RequestOption) error, stream func(model string) error) error {
	failure := func(err error, status int, code, param string) error {
		var e *openai.Error
		if !errors.As(err, &e) {
			return fmt.Errorf("no API error: %w", err)
		}
		return errors.Join(want("status", e.StatusCode, status), want("code", e.Code, code), want("param", e.Param, param))
	}
	busy := func(err error) error {
		var e *openai.Error
		if !errors.As(err, &e) {
			return fmt.Errorf("no API error: %w", err)
		}
		return errors.Join(want("status", e.StatusCode, 429), want("retry-after", e.Response.Header.Get("Retry-After"), "7"))
	}
	return errors.Join(
		failure(call(c.model, option.WithAPIKey("sk-foreign")), 401, "invalid_key", ""),
		failure(call("nobody"), 404, "model_not_found", "model"),
		failure(call(c.model, option.WithJSONSet("temperature", "hot")), 400, "invalid_request", "temperature"),
		busy(call(c.busy)), busy(stream(c.busy)))
}
