package openai

import (
	"strconv"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// report is one usage object. Members that it lacks are -1.
type report struct {
	prompt, completion, total  int64
	cached, written, reasoning int64
	heard, spoken              int64 // tokens of sound
}

// readUsage merges a report into what is known; a later one replaces an earlier
// one member by member.
func (a *answer) readUsage() error {
	if a.in.Kind() != jsonx.Object {
		_, err := a.in.Skip()
		return err
	}
	r := report{-1, -1, -1, -1, -1, -1, -1, -1}
	if err := a.in.Object(func(name []byte) error { return r.member(a.in, name) }); err != nil {
		return err
	}
	a.counted = true
	r.merge(&a.usage)
	return nil
}

// groq reads the report that Groq hides in an object of its own.
func (a *answer) groq() error {
	if a.in.Kind() != jsonx.Object {
		_, err := a.in.Skip()
		return err
	}
	return a.in.Object(func(name []byte) error {
		if string(name) == "usage" {
			return a.readUsage()
		}
		_, err := a.in.Skip()
		return err
	})
}

func (r *report) member(in *jsonx.Reader, name []byte) error {
	switch string(name) {
	case "prompt_tokens":
		return natural(in, &r.prompt)
	case "completion_tokens":
		return natural(in, &r.completion)
	case "total_tokens":
		return natural(in, &r.total)
	case "prompt_tokens_details", "completion_tokens_details":
		sound := &r.heard
		if string(name) == "completion_tokens_details" {
			sound = &r.spoken
		}
		if in.Kind() == jsonx.Object {
			return in.Object(func(name []byte) error { return r.detail(in, name, sound) })
		}
	case "prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens", "cache_read_input_tokens":
		return most(in, &r.cached) // DeepSeek, Moonshot, Mistral, Vercel
	case "cache_creation_input_tokens":
		return most(in, &r.written)
	}
	_, err := in.Skip()
	return err
}

func (r *report) detail(in *jsonx.Reader, name []byte, sound *int64) error {
	switch string(name) {
	case "audio_tokens":
		return natural(in, sound)
	case "cached_tokens":
		return most(in, &r.cached)
	case "cache_write_tokens":
		return most(in, &r.written)
	case "reasoning_tokens":
		return most(in, &r.reasoning)
	}
	_, err := in.Skip()
	return err
}

// most reads a count that a report may hold under several names.
func most(in *jsonx.Reader, to *int64) error {
	n := int64(-1)
	err := natural(in, &n)
	*to = max(*to, n)
	return err
}

// merge takes over what the report says. Where the total is more than input and
// output, the rest is reasoning that the server did not count as output: xAI
// says how much it was, Google's endpoint does not. Where more was cached than
// went in, the server (Grok on Azure) did not count what was cached as input.
func (r *report) merge(u *llm.Usage) {
	if r.prompt >= 0 && r.completion >= 0 && r.total > r.prompt+r.completion {
		rest := r.total - r.prompt - r.completion
		r.completion += rest
		r.reasoning = max(r.reasoning, rest)
	}
	if r.completion >= 0 && r.reasoning > r.completion { // Vercel, of Google's models
		r.completion += r.reasoning
	}
	if cached := max(r.cached, 0) + max(r.written, 0); r.prompt >= 0 && cached > r.prompt {
		r.prompt += cached
	}
	set := func(to *int64, n int64) {
		if n >= 0 {
			*to = n
		}
	}
	set(&u.Input, r.prompt)
	set(&u.Output, r.completion)
	set(&u.CacheRead, r.cached)
	set(&u.CacheWrite, r.written)
	set(&u.Reasoning, r.reasoning)
	set(&u.AudioInput, r.heard)
	set(&u.AudioOutput, r.spoken)
}

// parseWhole reads the text of a JSON number, cutting fractions off.
func parseWhole(text string) (int64, bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, n >= 0
	}
	f, err := strconv.ParseFloat(text, 64)
	return int64(f), err == nil && 0 <= f && f < 1<<53
}
