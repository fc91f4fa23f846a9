package gemini

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// maxSources bounds the sources of one candidate.
const maxSources = 4096

// A segment is a stretch of a candidate's text, in bytes of one of its parts,
// with the numbers of its sources.
type segment struct {
	from, to, part int64
	sources        []int
}

// cite tells the sources of a candidate's text, of which from says where each
// part begins. Sources that belong to no stretch, and what else is told of the
// search, have no canonical form.
func (a *answer) cite(c *candidate, from []int) {
	if a.sources == nil {
		return
	}
	in := jsonx.NewReader(a.sources)
	if in.Kind() != jsonx.Object {
		return
	}
	var chunks []llm.Citation
	var segments []segment
	err := in.Object(func(name []byte) error {
		list := in.Kind() == jsonx.Array
		switch {
		case string(name) == "groundingChunks" && list:
			return in.Array(func(int) error { return readChunk(in, &chunks) })
		case string(name) == "groundingSupports" && list:
			return in.Array(func(int) error { return readSegment(in, &segments) })
		}
		_, err := in.Skip()
		return err
	})
	told := 0
	for _, s := range segments {
		base := 0
		if s.part > 0 && int(s.part) < len(from) {
			base = from[s.part]
		}
		for _, i := range s.sources {
			if i >= len(chunks) || told == maxSources {
				continue
			}
			told++
			source := chunks[i]
			source.Start, source.End = c.text.CharsAt(base+int(s.from)), c.text.CharsAt(base+int(s.to))
			a.emit(llm.Event{Kind: llm.EventCitation, Choice: c.index, Citation: &source})
		}
	}
	if err == nil && told == 0 && len(bytes.Trim(a.sources, "{} \t\r\n")) > 0 {
		a.emit(llm.Event{Kind: llm.EventOther, Choice: c.index, Text: "groundingMetadata", Name: "groundingMetadata",
			Raw: &llm.Raw{Dialect: llm.Gemini, JSON: bytes.Clone(a.sources)}})
	}
}

// readChunk reads a source: a page, or a document that was retrieved.
func readChunk(in *jsonx.Reader, to *[]llm.Citation) error {
	var c llm.Citation
	err := in.Object(func([]byte) error {
		if in.Kind() != jsonx.Object {
			_, err := in.Skip()
			return err
		}
		return in.Object(func(name []byte) error {
			switch string(name) {
			case "uri":
				return str(in, &c.URL)
			case "title":
				return str(in, &c.Title)
			case "text":
				return str(in, &c.Quote)
			}
			_, err := in.Skip()
			return err
		})
	})
	if len(*to) < maxSources {
		*to = append(*to, c)
	}
	return err
}

func readSegment(in *jsonx.Reader, to *[]segment) error {
	var s segment
	err := in.Object(func(name []byte) error {
		kind := in.Kind()
		switch {
		case string(name) == "segment" && kind == jsonx.Object:
			return in.Object(func(name []byte) error {
				switch string(name) {
				case "startIndex":
					return natural(in, &s.from)
				case "endIndex":
					return natural(in, &s.to)
				case "partIndex":
					return natural(in, &s.part)
				}
				_, err := in.Skip()
				return err
			})
		case string(name) == "groundingChunkIndices" && kind == jsonx.Array:
			return in.Array(func(int) error {
				n := int64(maxSources)
				err := natural(in, &n)
				s.sources = append(s.sources, int(n))
				return err
			})
		}
		_, err := in.Skip()
		return err
	})
	if len(*to) < maxSources {
		*to = append(*to, s)
	}
	return err
}

// likely tells the probabilities of a candidate's tokens.
func (a *answer) likely(c *candidate) {
	in := jsonx.NewReader(a.tokens)
	if in.Kind() != jsonx.Object {
		return
	}
	var tokens []llm.Logprob
	var top [][]llm.Logprob
	err := in.Object(func(name []byte) (err error) {
		list := in.Kind() == jsonx.Array
		switch {
		case string(name) == "chosenCandidates" && list:
			tokens, err = readTokens(in)
		case string(name) == "topCandidates" && list:
			err = in.Array(func(int) error {
				var at []llm.Logprob
				err := in.Object(func(name []byte) (err error) {
					if string(name) == "candidates" && in.Kind() == jsonx.Array {
						at, err = readTokens(in)
						return err
					}
					_, err = in.Skip()
					return err
				})
				top = append(top, at)
				return err
			})
		default:
			_, err = in.Skip()
		}
		return err
	})
	if err != nil || len(tokens) == 0 {
		return
	}
	for i := range min(len(tokens), len(top)) {
		tokens[i].Top = top[i]
	}
	a.emit(llm.Event{Kind: llm.EventLogprobs, Choice: c.index, Logprobs: &llm.Logprobs{Tokens: tokens}})
}

func readTokens(in *jsonx.Reader) (tokens []llm.Logprob, err error) {
	err = in.Array(func(int) error {
		var p llm.Logprob
		err := in.Object(func(name []byte) error {
			switch {
			case string(name) == "token":
				return str(in, &p.Token)
			case string(name) == "logProbability" && in.Kind() == jsonx.Number:
				text, err := in.NumberText()
				p.Logprob = llm.Number(text)
				return err
			}
			_, err := in.Skip()
			return err
		})
		tokens = append(tokens, p)
		return err
	})
	return tokens, err
}

// sound reads how many of some tokens are those of sound.
func (a *answer) sound(to *int64) error {
	if a.in.Kind() != jsonx.Array {
		_, err := a.in.Skip()
		return err
	}
	return a.in.Array(func(int) error {
		if a.in.Kind() != jsonx.Object {
			_, err := a.in.Skip()
			return err
		}
		var kind string
		var n int64
		err := a.in.Object(func(name []byte) error {
			switch string(name) {
			case "modality":
				return str(a.in, &kind)
			case "tokenCount":
				return natural(a.in, &n)
			}
			_, err := a.in.Skip()
			return err
		})
		if kind == "AUDIO" {
			*to = n
		}
		return err
	})
}

// sources is what a candidate's text was taken from, as the encoder keeps it.
type sources struct {
	text   dialect.Measure
	chunks []byte // elements of groundingChunks
	uses   []byte // elements of groundingSupports
	n      int
	known  map[string]int // number of each address
}

// add notes a source. It is not ok if it has no address.
func (s *sources) add(c *llm.Citation) bool {
	if !strings.Contains(c.URL, "://") {
		return false
	}
	at, ok := s.known[c.URL]
	if !ok {
		if s.known == nil {
			s.known = map[string]int{}
		}
		at = s.n
		s.known[c.URL] = at
		s.n++
		s.chunks = jsonx.AppendString(append(comma(s.chunks, at), `{"web":{"uri":`...), c.URL)
		s.chunks = append(jsonx.AppendString(append(s.chunks, `,"title":`...), c.Title), "}}"...)
	}
	s.uses = append(comma(s.uses, len(s.uses)), `{"segment":{"startIndex":`...)
	s.uses = strconv.AppendInt(s.uses, int64(s.text.Bytes(c.Start)), 10)
	s.uses = strconv.AppendInt(append(s.uses, `,"endIndex":`...), int64(s.text.Bytes(c.End)), 10)
	s.uses = strconv.AppendInt(append(s.uses, `},"groundingChunkIndices":[`...), int64(at), 10)
	s.uses = append(s.uses, "]}"...)
	return true
}

// append writes the member of a candidate.
func (s *sources) append(dst []byte) []byte {
	if s.n == 0 {
		return dst
	}
	dst = append(append(dst, `,"groundingMetadata":{"groundingChunks":[`...), s.chunks...)
	return append(append(append(dst, `],"groundingSupports":[`...), s.uses...), "]}"...)
}

// appendTokens writes the member of a candidate for the probabilities of its
// tokens.
func appendTokens(dst []byte, tokens []llm.Logprob) []byte {
	if len(tokens) == 0 {
		return dst
	}
	list := func(tokens []llm.Logprob) {
		for i, p := range tokens {
			dst = jsonx.AppendString(append(comma(dst, i), `{"token":`...), p.Token)
			dst = append(append(append(dst, `,"logProbability":`...), p.Logprob...), '}')
		}
	}
	dst = append(dst, `,"logprobsResult":{"chosenCandidates":[`...)
	list(tokens)
	dst = append(dst, `],"topCandidates":[`...)
	for i, p := range tokens {
		dst = append(comma(dst, i), `{"candidates":[`...)
		list(p.Top)
		dst = append(dst, "]}"...)
	}
	return append(dst, "]}"...)
}
