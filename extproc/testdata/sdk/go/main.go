// Command clients runs cells of the matrix: what one SDK does with one provider,
// by one feature. Its argument is the SDK and its API. The environment says
// where the gateway is and which cells to run. What the provider must have got
// of a request is checked outside, by the mark in its prompt.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

const (
	pixel  = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
	result = "20 degrees" // of every tool
)

var (
	baseURL = os.Getenv("ATTACHE_URL")
	key     = os.Getenv("ATTACHE_KEY")
	schema  = map[string]any{
		"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}},
		"required": []string{"city"}, "additionalProperties": false,
	}
)

// A client does each feature with the provider that a cell names.
type client map[string]func(context.Context, cell) error

var clients = map[string]client{"openai-chat": openAIChat, "openai-responses": openAIResponses, "anthropic": anthropicMessages, "google-genai": googleGenAI}

type cell struct {
	model, direct string // by its name, and as provider/model
	busy          string // answers 429, and to come back in 7 seconds
	broken        string // its streams end with an error after half of 40 words
	text          string // what the provider says
	hi, ask       string // prompts; at ask the provider calls a tool
}

func main() {
	c, ok := clients[os.Args[1]]
	if !ok {
		fmt.Println("unknown client", os.Args[1])
		os.Exit(2)
	}
	names := strings.Fields(os.Getenv("CELLS"))
	status := 0
	for _, name := range names {
		provider, feature, _ := strings.Cut(name, "/")
		mark := os.Getenv("CLIENT") + "/" + name
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		err := c[feature](ctx, cell{
			model: provider + "-model", direct: os.Getenv("MODEL_" + strings.ToUpper(provider)), busy: provider + "-busy", broken: provider + "-broken",
			text: "Hello from " + provider + ".", hi: "Hi from " + mark, ask: "Please use tool for " + mark,
		})
		cancel()
		if err != nil {
			fmt.Printf("FAILED %s\n%v\n", name, err)
			status = 1
			continue
		}
		fmt.Println("ok", name)
	}
	fmt.Printf("ran %d cells\n", len(names))
	os.Exit(status)
}

// wantBroken is an error if a stream did not begin, or did not fail.
func wantBroken(text string, err error) error {
	if words := len(strings.Fields(text)); err == nil || words < 5 || words >= 40 {
		return fmt.Errorf("a stream of %d words, and the error %v", words, err)
	}
	return nil
}

// want is an error if two values differ.
func want[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s: got %v, want %v", what, got, want)
	}
	return nil
}

// wantCity is an error if a JSON text is not what the tool is called with, or
// what the schema asks for.
func wantCity(text string) error {
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	return want("city", fmt.Sprint(v), "map[city:Paris]")
}
