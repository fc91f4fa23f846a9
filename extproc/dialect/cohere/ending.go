package cohere

import (
	"bytes"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// usage holds the counts as the wire has them: of tokens, and of those on the
// bill.
type usage struct{ input, output, reasoning, cached, billedInput, billedOutput int64 }

func (u *usage) total() llm.Usage {
	t := llm.Usage{Input: u.input, Output: u.output, Reasoning: u.reasoning, CacheRead: u.cached}
	if u.input == 0 && u.output == 0 { // embed has no others
		t.Input, t.Output = u.billedInput, u.billedOutput
	}
	return t
}

// ending reads the delta at the end of a stream.
func (a *answer) ending() error { return a.object(a.tail) }

// tail reads a member of what stands at the end of an answer.
func (a *answer) tail(name []byte) error {
	switch string(name) {
	case "finish_reason":
		return a.str(&a.finish)
	case "error":
		return a.str(&a.failed)
	case "usage", "meta":
		return a.object(a.count)
	}
	_, err := a.Skip()
	return err
}

// count reads a member of the usage.
func (a *answer) count(name []byte) error {
	u := &a.usage
	input, output := &u.input, &u.output
	switch string(name) {
	case "cached_tokens":
		return a.natural(&u.cached)
	case "billed_units":
		input, output = &u.billedInput, &u.billedOutput
	case "tokens":
	default:
		_, err := a.Skip()
		return err
	}
	a.counted = true
	return a.object(func(name []byte) error {
		switch string(name) {
		case "input_tokens":
			return a.natural(input)
		case "output_tokens":
			return a.natural(output)
		case "reasoning_tokens":
			return a.natural(&u.reasoning)
		}
		_, err := a.Skip()
		return err
	})
}

// end ends the answer: well, or with what its finish reason says.
func (a *answer) end() {
	if a.counted {
		a.emit(llm.Event{Kind: llm.EventUsage, Usage: a.usage.total()})
	}
	status := failures[a.finish]
	if a.failed != "" && status == 0 {
		status = 502
	}
	if status != 0 {
		e := &llm.Error{Status: status, Code: llm.CodeUpstreamError, Message: a.failed}
		if status == 504 {
			e.Code = llm.CodeUpstreamTimeout
		}
		if e.Message == "" {
			e.Message = "the provider ended the answer with the reason " + a.finish
		}
		a.emit(llm.Event{Kind: llm.EventError, Err: e})
		return
	}
	reason := reasonOf[a.finish]
	switch {
	case a.calls > 0:
		reason = llm.FinishToolCalls
	case reason == "":
		reason = llm.FinishStop
	}
	a.emit(llm.Event{Kind: llm.EventFinish, Reason: reason})
	a.emit(llm.Event{Kind: llm.EventEnd})
}

// A stretch is a part of a content with the sources that it has.
type stretch struct {
	content    int64 // its index, or planText
	start, end int64 // in characters of the content
	sources    []llm.Citation
}

// citation reads a stretch of the answer with its sources.
func (a *answer) citation() (s stretch, err error) {
	var kind string
	err = a.object(func(name []byte) error {
		switch string(name) {
		case "start":
			return a.natural(&s.start)
		case "end":
			return a.natural(&s.end)
		case "content_index":
			return a.natural(&s.content)
		case "type":
			return a.str(&kind)
		case "sources":
			return a.array(func(int) error {
				c, err := a.source()
				s.sources = append(s.sources, c)
				return err
			})
		}
		_, err := a.Skip()
		return err
	})
	if kind == "PLAN" {
		s.content = planText
	}
	return s, err
}

// cite makes a citation of each source of a stretch. What is said of reasoning
// has no place in other formats.
func (a *answer) cite(s stretch) {
	base, ok := a.texts[s.content]
	if !ok || s.end < s.start || s.end > int64(a.chars-base) {
		return
	}
	for i := range s.sources {
		c := &s.sources[i]
		c.Start, c.End = base+int(s.start), base+int(s.end)
		a.emit(llm.Event{Kind: llm.EventCitation, Citation: c})
	}
}

// citeAll cites the stretches of one content.
func (a *answer) citeAll(content int64) {
	for _, s := range a.cited {
		if s.content == content {
			a.cite(s)
		}
	}
}

// source reads a source: a document of the request or the output of a tool.
func (a *answer) source() (c llm.Citation, err error) {
	var id string
	err = a.object(func(name []byte) error {
		switch string(name) {
		case "id":
			return a.str(&id)
		case "document", "tool_output":
			return a.object(func(name []byte) error {
				switch string(name) {
				case "url":
					return a.str(&c.URL)
				case "title":
					return a.str(&c.Title)
				case "text", "content":
					return a.str(&c.Quote)
				}
				_, err := a.Skip()
				return err
			})
		}
		_, err := a.Skip()
		return err
	})
	if c.Document = documentOf(id); c.Title == "" {
		c.Title = id
	}
	return c, err
}

// logprobs reads the probabilities of an answer's tokens. An item that holds
// several tokens tells no text of each.
func (a *answer) logprobs(raw []byte) error {
	if raw == nil || bytes.Equal(raw, []byte("null")) {
		return nil
	}
	var all llm.Logprobs
	a.Reset(raw)
	err := a.array(func(int) error {
		var one llm.Logprob
		n := 0
		err := a.object(func(name []byte) error {
			switch string(name) {
			case "text":
				return a.str(&one.Token)
			case "logprobs":
				return a.array(func(int) error {
					n++
					value, err := a.Raw()
					one.Logprob = llm.Number(value)
					return err
				})
			}
			_, err := a.Skip()
			return err
		})
		if n == 1 {
			all.Tokens = append(all.Tokens, one)
		}
		return err
	})
	if err == nil && len(all.Tokens) > 0 {
		a.emit(llm.Event{Kind: llm.EventLogprobs, Logprobs: &all})
	}
	return err
}

// vectors reads an answer to embed: its vectors by type, or the vectors alone.
func (a *answer) vectors(body []byte) error {
	found := 0
	list := func(i int) error {
		vector, err := a.Raw()
		found++
		a.emit(llm.Event{Kind: llm.EventVector, Choice: i, Text: string(vector)})
		return err
	}
	a.start("")
	err := a.object(func(name []byte) error {
		if string(name) != "embeddings" {
			return a.tail(name)
		}
		if a.Kind() == jsonx.Array {
			return a.Array(list)
		}
		return a.member("float", func() error { return a.array(list) })
	})
	switch {
	case err != nil:
		return err
	case found == 0:
		return a.failureOf(body)
	}
	a.emit(llm.Event{Kind: llm.EventUsage, Usage: a.usage.total()})
	a.emit(llm.Event{Kind: llm.EventEnd})
	return nil
}
