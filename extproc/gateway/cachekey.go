package gateway

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A CacheKey is the same for requests that get the same answer: SHA-256 of who
// asks, of where it goes, and of what it says.
type CacheKey [sha256.Size]byte

// aside are the members of requests that do not change what a model says, by
// dialect. The model is another part of the key: the target.
var aside = map[string][]string{
	llm.OpenAI:    {"model", "stream", "stream_options", "user", "safety_identifier", "metadata", "prompt_cache_key", "prompt_cache_retention"},
	llm.Responses: {"model", "stream", "stream_options", "user", "safety_identifier", "metadata", "prompt_cache_key", "prompt_cache_retention"},
	llm.Anthropic: {"model", "stream", "metadata"},
	llm.Gemini:    {"model", "labels"},
	llm.Bedrock:   {"requestMetadata"},
}

// worldly are members whose answer depends on more than the request, or has
// effects beside it.
var worldly = []string{"conversation", "previous_response_id", "background", "container", "mcp_servers", "web_search_options"}

// repeatable reports whether a request can be answered with what was said to an
// equal one: nothing that the provider keeps or looks up has a part in it.
func repeatable(r *llm.Request) bool {
	if r.Op != llm.OpChat && r.Op != llm.OpEmbeddings {
		return false
	}
	return !slices.ContainsFunc(worldly, func(name string) bool { return r.Body.Member(name) != nil }) &&
		!slices.ContainsFunc(r.Tools, func(t llm.Tool) bool { return t.Type != "" })
}

// cacheKey is the key of the request as the first target gets it, so after the
// policy's changes and the guards' redactions.
func (x *Exchange) cacheKey(r *llm.Request, t *target, partition []string) (CacheKey, error) {
	var b keyText
	b.add(partition...)
	b.add(string(r.Op), r.Dialect, t.Name, t.Dialect, t.Host, t.BasePath, t.model)
	var sent []string
	for _, h := range r.Header {
		sent = append(sent, h.Name, h.Value)
	}
	b.add(sent...)
	sent = sent[:0]
	for _, h := range x.decision.Headers {
		if !h.Response {
			sent = append(sent, h.Name, h.Value)
		}
	}
	b.add(sent...)
	changes, err := json.Marshal(x.decision.Modify) // some change what is sent and not the client's bytes
	if err != nil {
		return CacheKey{}, fmt.Errorf("gateway: cache key: %w", err)
	}
	b.add(string(changes))
	c := canonical{out: b}
	if err := c.body(r.Patch().Bytes(), aside[r.Dialect]); err != nil {
		return CacheKey{}, fmt.Errorf("gateway: cache key: %w", err)
	}
	return sha256.Sum256(c.out), nil
}

// partition is whose entries a caller sees in a scope. Who belongs to no team shares
// with no one for that. Where callers say nothing of themselves all are one; a token
// that does not say whose it is has no part in any, nil.
func (c *Caller) partition(scope string) []string {
	switch {
	case scope == "org" && c.Org != "":
		return []string{"org", c.Org}
	case (scope == "org" || scope == "team") && c.Team != "":
		return []string{"team", c.Org, c.Team}
	case scope != "key" && c.User != "":
		return []string{"user", c.Org, c.Team, c.User}
	case c.Claims != nil && c.KeyID == "" && c.User == "":
		return nil
	}
	return []string{"key", c.Org, c.Team, c.User, c.KeyID}
}

// A keyText is a list of texts, each behind its length, so that no two lists make
// the same bytes.
type keyText []byte

func (b *keyText) add(texts ...string) {
	*b = binary.AppendUvarint(*b, uint64(len(texts)))
	for _, s := range texts {
		*b = append(binary.AppendUvarint(*b, uint64(len(s))), s...)
	}
}

// digestOver is the length from which a value's digest stands for it, in bytes.
const digestOver = 128

// A canonical writes JSON in the one form of all that say the same: without space,
// the members of all objects in the order of their names, texts with no more
// escapes than needed. Digests stand for long values, so that what is deep is not
// moved as often as it is deep: the time is in proportion to the text.
type canonical struct {
	out     []byte
	members []canonicalMember // of the objects that are open
	spare   []byte
}

// A canonicalMember is a place in the output.
type canonicalMember struct{ from, value, to int }

// body appends the object that is a request's body, without the members aside.
func (c *canonical) body(body []byte, aside []string) error {
	in := jsonx.NewReader(body)
	if err := c.object(in, aside); err != nil {
		return err
	}
	return in.End()
}

func (c *canonical) value(in *jsonx.Reader) (err error) {
	from := len(c.out)
	switch in.Kind() {
	case jsonx.Object:
		err = c.object(in, nil)
	case jsonx.Array:
		c.out = append(c.out, '[')
		err = in.Array(func(int) error {
			err := c.value(in)
			c.out = append(c.out, ',')
			return err
		})
		c.out = append(c.out, ']')
	default:
		err = c.plain(in)
	}
	if text := c.out[from:]; len(text) > digestOver {
		sum := sha256.Sum256(text)
		c.out = append(append(c.out[:from], 0), sum[:]...) // a zero begins no JSON
	}
	return err
}

// plain appends a value that holds no others.
func (c *canonical) plain(in *jsonx.Reader) error {
	text, err := in.Raw()
	if err == nil && text[0] == '"' && bytes.IndexByte(text, '\\') >= 0 {
		s, _ := jsonx.NewReader(text).String() // it was read
		c.out = jsonx.AppendString(c.out, s)
		return nil
	}
	c.out = append(c.out, text...)
	return err
}

func (c *canonical) object(in *jsonx.Reader, aside []string) error {
	c.out = append(c.out, '{')
	first := len(c.members)
	err := in.Map(func(name []byte) error {
		if slices.Contains(aside, string(name)) {
			_, err := in.Skip()
			return err
		}
		m := canonicalMember{from: len(c.out)}
		c.out = jsonx.AppendString(c.out, string(name))
		m.value = len(c.out)
		c.out = append(c.out, ':')
		err := c.value(in)
		c.out = append(c.out, ',')
		m.to = len(c.out)
		c.members = append(c.members, m)
		return err
	})
	c.sort(c.members[first:])
	c.members = c.members[:first]
	c.out = append(c.out, '}')
	return err
}

// sort puts the members at the end of the output into order.
func (c *canonical) sort(members []canonicalMember) {
	byName := func(a, b canonicalMember) int {
		return bytes.Compare(c.out[a.from:a.value], c.out[b.from:b.value])
	}
	if slices.IsSortedFunc(members, byName) {
		return
	}
	from := members[0].from
	slices.SortFunc(members, byName)
	c.spare = c.spare[:0]
	for _, m := range members {
		c.spare = append(c.spare, c.out[m.from:m.to]...)
	}
	copy(c.out[from:], c.spare)
}
