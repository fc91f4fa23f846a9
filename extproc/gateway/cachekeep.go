package gateway

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// maxKeep bounds a response that is kept, in bytes: all that are on their way are
// in memory.
const maxKeep = 1 << 20

// A keeping is a response on its way into the cache.
type keeping struct {
	cacheUse
	key      CacheKey
	target   *target // that the request is for; what another one says is not kept
	warnings []string

	events   []llm.Event
	text     []byte // of the last event, which more of the same may follow
	size     int64
	finished bool
}

// recall answers from the cache. Without an answer x.keeping says where the response
// goes, nil: nowhere.
func (x *Exchange) recall(ctx context.Context, r *llm.Request, t *target) *llm.Answer {
	c := &x.gw.caching
	if c.Cache == nil || r.Op != llm.OpChat && r.Op != llm.OpEmbeddings {
		return nil
	}
	x.record.Cache = CacheUnused
	wish, refusal := x.head.cacheWish()
	if refusal != nil {
		return x.refuse(refusal)
	}
	use := c.use(x.decision.Cache)
	partition := x.caller.partition(use.scope)
	if use.off || wish.noStore || partition == nil || !repeatable(r) {
		return nil
	}
	key, err := x.cacheKey(r, t, partition)
	if err != nil {
		return x.fail(llm.CodeInternal, err)
	}
	x.record.Cache, x.keeping = CacheMiss, &keeping{cacheUse: use, key: key, target: t}
	if wish.maxAge == 0 {
		return nil
	}
	now := x.gw.now()
	e, err := c.Get(ctx, key, now)
	if err != nil {
		x.record.Detail = fmt.Sprintf("cache: %v", err)
	}
	if err != nil || e == nil {
		return nil
	}
	if age := now.Sub(e.Stored); age < use.ttl && (wish.maxAge < 0 || age <= wish.maxAge) {
		return x.hit(r, e, age)
	}
	return nil
}

// hit is an entry as the answer to a request; nil if it cannot be written.
func (x *Exchange) hit(r *llm.Request, e *CacheEntry, age time.Duration) *llm.Answer {
	events, refusal := x.guardKept(r.Op, x.keeping.target.model, e.Events)
	if refusal != nil {
		return refusal
	}
	enc := x.wire.NewEncoder(r)
	body, err := enc.Encode(nil, events)
	if err != nil {
		x.record.Detail = fmt.Sprintf("cache: %v", err)
		return nil
	}
	x.keeping = nil
	x.record.Cache, x.record.Status, x.record.SavedNano = CacheHit, 200, e.CostNano
	for i := range e.Events {
		if e.Events[i].Kind == llm.EventFinish {
			x.record.Finish = e.Events[i].Reason
		}
	}
	x.record.Warnings = append(x.record.Warnings, e.Warnings...)
	if lossy, ok := enc.(dialect.Reporter); ok {
		x.record.Warnings = append(x.record.Warnings, lossy.Warnings()...)
	}
	seconds := strconv.FormatInt(int64(max(age, 0)/time.Second), 10)
	return &llm.Answer{Status: 200, Type: enc.MediaType(), Header: append(x.ownHeaders(), llm.Header{Name: "age", Value: seconds}), Body: body}
}

// keepFrom notes who responds. Of an answer under the name of one target that
// another gave nobody could tell whose it is.
func (x *Exchange) keepFrom(st *step, status int) {
	switch {
	case x.keeping == nil:
	case st.target != x.keeping.target || status != 200:
		x.keeping = nil
	case st.wire != nil:
		x.keeping.warnings = st.wire.Warnings
	}
}

// collect takes events of the response that is to be kept.
func (x *Exchange) collect(events []llm.Event) {
	if x.keeping == nil {
		return
	}
	for i := range events {
		if !x.keeping.take(&events[i]) {
			x.keeping = nil
			return
		}
	}
}

// take adds an event and reports whether the response may still be kept. A call
// of a tool is about to be done: an old one would repeat a deed, not a text.
func (k *keeping) take(ev *llm.Event) bool {
	switch ev.Kind {
	case llm.EventPing:
		return true
	case llm.EventError, llm.EventRefusal, llm.EventToolStart, llm.EventToolArgs:
		return false
	case llm.EventFinish:
		k.finished = true
		if ev.Reason != llm.FinishStop && ev.Reason != llm.FinishStopSequence {
			return false
		}
	}
	if k.continues(ev) {
		k.size += int64(len(ev.Text))
		k.say(ev.Text)
		return k.size <= maxKeep
	}
	k.flush()
	k.size += eventSize(ev)
	k.events = append(k.events, cloneEvent(ev))
	if ev.Kind == llm.EventText || ev.Kind == llm.EventReasoning {
		k.say(ev.Text)
	}
	return k.size <= maxKeep
}

// say adds to the text. Halves of a surrogate pair that came in two pieces become a
// character.
func (k *keeping) say(text string) {
	if r, ok := pair(k.text, text); ok {
		k.text, text = utf8.AppendRune(k.text[:len(k.text)-halfSize], r), text[halfSize:]
	}
	k.text = append(k.text, text...)
}

// continues reports whether an event is more of the text before it.
func (k *keeping) continues(ev *llm.Event) bool {
	if len(k.text) == 0 {
		return false
	}
	a, b := k.events[len(k.events)-1], *ev
	a.Text, b.Text = "", ""
	return a == b
}

// maxPiece bounds an event of text that is kept, in bytes: there are clients that
// read no longer lines than 64 KiB.
const maxPiece = 4 << 10

// flush ends the text of the last event, in as many events as it is long. So the
// entry is the same whether the response was streamed or not.
func (k *keeping) flush() {
	for first := true; len(k.text) > 0; first = false {
		n := len(k.text)
		if n > maxPiece {
			for n = maxPiece; n > maxPiece-utf8.UTFMax && k.text[n]&0xC0 == 0x80; n-- { // inside a character
			}
		}
		if !first {
			k.events = append(k.events, k.events[len(k.events)-1])
		}
		k.events[len(k.events)-1].Text = string(k.text[:n])
		k.text = k.text[n:]
	}
	k.text = nil
}

// store puts the response into the cache, if it is whole and good, and no guard had
// anything to change in it.
func (x *Exchange) store() {
	k, r := x.keeping, &x.record
	if k == nil || x.resp == nil || !x.resp.meter.ended || x.altered() || r.Truncated || r.Code != "" || r.Op == llm.OpChat && !k.finished {
		return
	}
	k.flush()
	now := x.gw.now()
	e := &CacheEntry{Events: slices.Clip(k.events), Warnings: k.warnings, CostNano: r.CostNano, Stored: now, Expires: now.Add(k.ttl)}
	if err := x.gw.caching.Put(context.Background(), k.key, e); err != nil && r.Detail == "" {
		r.Detail = fmt.Sprintf("cache: %v", err)
	}
}

// keepLess applies what the policy says after the response. The key is made: for
// a narrower scope the response would be in the wrong place.
func (x *Exchange) keepLess(d *CacheUse) {
	if x.keeping == nil || d == nil {
		return
	}
	scope := x.keeping.scope
	if x.keeping.narrow(d); x.keeping.off || x.keeping.scope != scope {
		x.keeping = nil
	}
}

func eventSize(e *llm.Event) int64 {
	n := int(unsafe.Sizeof(*e)) + len(e.Text) + len(e.ID) + len(e.Name) + len(e.Model) + len(e.Stop) + len(e.Signature)
	if e.Citation != nil {
		n += int(unsafe.Sizeof(*e.Citation)) + len(e.Citation.URL) + len(e.Citation.Title) + len(e.Citation.Quote)
	}
	if e.Logprobs != nil {
		n += logprobsSize(e.Logprobs.Tokens)
	}
	if e.Media != nil {
		n += int(unsafe.Sizeof(*e.Media)) + len(e.Media.Data) + len(e.Media.URL)
	}
	if e.Raw != nil {
		n += int(unsafe.Sizeof(*e.Raw)) + len(e.Raw.JSON)
	}
	return int64(n)
}

func logprobsSize(tokens []llm.Logprob) (n int) {
	for i := range tokens {
		t := &tokens[i]
		n += int(unsafe.Sizeof(*t)) + len(t.Token) + len(t.Logprob) + len(t.Bytes) + logprobsSize(t.Top)
	}
	return n
}

// cloneEvent returns an event that holds nothing of the decoder's buffers.
func cloneEvent(e *llm.Event) llm.Event {
	c := *e
	c.Citation, c.Media = cloned(e.Citation), cloned(e.Media)
	if e.Logprobs != nil {
		c.Logprobs = &llm.Logprobs{Tokens: cloneLogprobs(e.Logprobs.Tokens)}
	}
	if e.Raw != nil {
		c.Raw = &llm.Raw{Dialect: e.Raw.Dialect, JSON: bytes.Clone(e.Raw.JSON)}
	}
	return c
}

func cloned[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

func cloneLogprobs(tokens []llm.Logprob) []llm.Logprob {
	all := slices.Clone(tokens)
	for i := range all {
		all[i].Bytes, all[i].Top = bytes.Clone(all[i].Bytes), cloneLogprobs(all[i].Top)
	}
	return all
}
