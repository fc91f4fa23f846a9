package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/openai/openai-go/v3/responses"
)

var openAIResponses = client{
	"chat": func(ctx context.Context, c cell) error {
		for _, model := range []string{c.model, c.direct} {
			answer, err := openAIClient.Responses.New(ctx, responseTo(model, said(c.hi)))
			if err != nil {
				return err
			}
			if err := errors.Join(
				want("text", answer.OutputText(), c.text), want("status", answer.Status, "completed"),
				want("output tokens", answer.Usage.OutputTokens, 3)); err != nil {
				return err
			}
		}
		return nil
	},
	"stream": func(ctx context.Context, c cell) error {
		answer, text, err := completed(openAIClient.Responses.NewStreaming(ctx, responseTo(c.model, said(c.hi))))
		if err != nil {
			return err
		}
		return errors.Join(want("deltas", text, c.text), want("text", answer.OutputText(), c.text), want("output tokens", answer.Usage.OutputTokens, 3))
	},
	"tools": func(ctx context.Context, c cell) error {
		answer, err := openAIClient.Responses.New(ctx, responseWithTools(c))
		if err != nil {
			return err
		}
		return answerResponse(ctx, c, answer)
	},
	"streamed_tools": func(ctx context.Context, c cell) error {
		answer, _, err := completed(openAIClient.Responses.NewStreaming(ctx, responseWithTools(c)))
		if err != nil {
			return err
		}
		return answerResponse(ctx, c, answer)
	},
	"structured": func(ctx context.Context, c cell) error {
		ask := responseTo(c.model, said(c.hi))
		ask.Text.Format = responses.ResponseFormatTextConfigParamOfJSONSchema("place", schema)
		answer, err := openAIClient.Responses.New(ctx, ask)
		if err != nil {
			return err
		}
		return wantCity(answer.OutputText())
	},
	"images": func(ctx context.Context, c cell) error {
		image := responses.ResponseInputContentParamOfInputImage(responses.ResponseInputImageDetailAuto)
		image.OfInputImage.ImageURL = openai.String("data:image/png;base64," + pixel)
		content := responses.ResponseInputMessageContentListParam{responses.ResponseInputContentParamOfInputText(c.hi), image}
		answer, err := openAIClient.Responses.New(ctx, responseTo(c.model, responses.ResponseInputItemParamOfMessage(content, "user")))
		if err != nil {
			return err
		}
		return want("text", answer.OutputText(), c.text+" I see 1 images.")
	},
	"broken_stream": func(ctx context.Context, c cell) error {
		_, text, err := completed(openAIClient.Responses.NewStreaming(ctx, responseTo(c.broken, said(c.hi))))
		return wantBroken(text, err)
	},
	"count": func(ctx context.Context, c cell) error {
		var n [2]int64
		for i, text := range []string{"Hi", strings.Repeat("Hi ", 100)} {
			count, err := openAIClient.Responses.InputTokens.Count(ctx, responses.InputTokenCountParams{
				Model: openai.String(c.model), Input: responses.InputTokenCountParamsInputUnion{OfString: openai.String(text)}})
			if err != nil {
				return err
			}
			n[i] = count.InputTokens
		}
		return want("0 < few < many < 1000", 0 < n[0] && n[0] < n[1] && n[1] < 1000, true)
	},
	"errors": func(ctx context.Context, c cell) error {
		return openAIErrors(c, func(model string, more ...option.RequestOption) error {
			_, err := openAIClient.Responses.New(ctx, responseTo(model, said(c.hi)), more...)
			return err
		}, func(model string) error {
			return openAIClient.Responses.NewStreaming(ctx, responseTo(model, said(c.hi))).Err()
		})
	},
}

func said(text string) responses.ResponseInputItemUnionParam {
	return responses.ResponseInputItemParamOfMessage(text, "user")
}

func responseTo(model string, input ...responses.ResponseInputItemUnionParam) responses.ResponseNewParams {
	return responses.ResponseNewParams{
		Model: model, Input: responses.ResponseNewParamsInputUnion{OfInputItemList: input},
		Store: openai.Bool(false), MaxOutputTokens: openai.Int(50),
	}
}

func responseWithTools(c cell, more ...responses.ResponseInputItemUnionParam) responses.ResponseNewParams {
	ask := responseTo(c.model, append([]responses.ResponseInputItemUnionParam{said(c.ask)}, more...)...)
	for _, name := range []string{"weather", "time"} {
		ask.Tools = append(ask.Tools, responses.ToolParamOfFunction(name, schema, true))
	}
	return ask
}

// completed returns the response that a stream ends with, and the text of its
// events.
func completed(s *ssestream.Stream[responses.ResponseStreamEventUnion]) (answer *responses.Response, text string, err error) {
	for next := int64(0); s.Next(); next++ {
		e := s.Current()
		if e.SequenceNumber != next {
			return nil, "", fmt.Errorf("event %d has the number %d", next, e.SequenceNumber)
		}
		switch e.Type {
		case "response.output_text.delta":
			text += e.Delta
		case "response.completed":
			answer = &e.Response
		}
	}
	if s.Err() == nil && answer == nil {
		return nil, text, errors.New("the stream did not complete")
	}
	return answer, text, s.Err()
}

// answerResponse sends the result of the call that a response asks for, with
// the response's items as they came.
func answerResponse(ctx context.Context, c cell, answer *responses.Response) error {
	var input []responses.ResponseInputItemUnionParam
	var call responses.ResponseOutputItemUnion
	for _, item := range answer.Output {
		input = append(input, param.Override[responses.ResponseInputItemUnionParam](json.RawMessage(item.RawJSON())))
		if item.Type == "function_call" {
			call = item
		}
	}
	output := responses.ResponseInputItemParamOfFunctionCallOutput(result)
	output.OfFunctionCallOutput.CallID = openai.String(call.CallID)
	back, err := openAIClient.Responses.New(ctx, responseWithTools(c, append(input, output)...))
	if err != nil {
		return err
	}
	return errors.Join(want("name", call.Name, "weather"), wantCity(call.AsFunctionCall().Arguments), want("text", back.OutputText(), c.text))
}
