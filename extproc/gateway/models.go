package gateway

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// listModels answers GET /v1/models and /v1/models/ID in the client's format, if
// the policy does not deny it: the names under models, then the providers' own, as
// provider/model, of which key and policy leave the caller a target. The list is
// one page, however many a client asks for. An ID may be any name that a request
// can have, listed or not.
func (x *Exchange) listModels(ctx context.Context) *llm.Answer {
	whole, _ := x.head.path()
	_, id, one := strings.Cut(strings.TrimSuffix(whole, "/"), "/models/")
	if name, err := url.PathUnescape(id); err == nil { // SDKs escape the slash in provider/model
		id = name
	}
	r := &llm.Request{Op: llm.OpModels, Dialect: x.front.dialect, Model: id}
	var targets []*target
	if one {
		targets, _, _ = x.gw.resolve(id) // an unknown name is said after a denial
	}
	f, refusal := x.consult(ctx, r, targets)
	if x.why != nil && x.why.only {
		return x.explained(ctx, r, nil, x.gw.defaults)
	} else if refusal != nil {
		return refusal
	}
	var body []byte
	if !one {
		offers, err := x.listed(ctx, f)
		if err != nil {
			x.record.Policy.failed(err)
			return x.fail(llm.CodePolicyError, fmt.Errorf("policy: a model of the list: %w", err))
		}
		body = modelList(offers, x.front.dialect)
	} else if m, ok := x.offered(id); ok {
		body = m.append(nil, x.front.dialect)
	} else {
		return x.refuse(&llm.Error{Status: 404, Code: llm.CodeModelNotFound, Message: "no such model"})
	}
	x.record.Status = 200
	return &llm.Answer{Status: 200, Type: "application/json", Header: x.ownHeaders(), Body: body}
}

// An offer is a model that a client can ask for by name.
type offer struct {
	name, owner         string
	maxInput, maxOutput int64 // tokens, of the target that takes the fewest; 0: not known
	embeds              bool
}

// A listing is the list of models that a caller may use while it is made.
type listing struct {
	*Exchange
	facts  *Facts
	reads  bool // the policy looks at what tells models apart
	offers []offer
}

// listed returns what the key and the policy let the caller use, in the order of
// the configuration. f is what the policy was shown about the list.
func (x *Exchange) listed(ctx context.Context, f *Facts) ([]offer, error) {
	l := &listing{Exchange: x, facts: f, reads: x.policy.Reads("candidates") || x.policy.Reads("request.model")}
	for _, name := range x.gw.names {
		if err := l.add(ctx, name, "attache", x.gw.models[name].targets); err != nil {
			return nil, err
		}
	}
	for _, p := range x.gw.ordered {
		for _, m := range p.names() {
			if err := l.add(ctx, path.Join(p.Name, m), p.Name, []*target{x.gw.target(p, m)}); err != nil {
				return nil, err
			}
		}
	}
	return l.offers, nil
}

// add adds a model, unless it is there or the caller may not use it.
func (l *listing) add(ctx context.Context, name, owner string, targets []*target) error {
	seen := slices.ContainsFunc(l.offers, func(o offer) bool { return o.name == name })
	if seen || l.mayUse(name, targets) != nil {
		return nil
	}
	d := l.decision
	if l.reads {
		f := *l.facts
		f.Model, f.Candidates = name, l.gw.candidates(targets)
		begun := l.gw.now()
		var err error
		d, err = l.policy.Decide(ctx, &f)
		l.record.Policy.Took += l.gw.now().Sub(begun)
		if err != nil {
			return err
		}
	}
	if targets = d.leaves(targets); d.Deny == nil && len(targets) > 0 {
		l.offers = append(l.offers, newOffer(name, owner, targets))
	}
	return nil
}

// leaves returns the targets for which all that the policy requires holds.
func (d *Decision) leaves(targets []*target) (kept []*target) {
	for _, t := range targets {
		if c, _ := d.bars(t); c == nil {
			kept = append(kept, t)
		}
	}
	return kept
}

// offered returns the model of a name, if there is one that the caller may use.
func (x *Exchange) offered(name string) (offer, bool) {
	targets, _, err := x.gw.resolve(name)
	if err != nil || x.mayUse(name, targets) != nil {
		return offer{}, false
	}
	if targets = x.decision.leaves(targets); len(targets) == 0 {
		return offer{}, false
	}
	owner := targets[0].Name
	if x.gw.models[name] != nil {
		owner = "attache"
	}
	return newOffer(name, owner, targets), true
}

// names are the models of the provider that can be named: those of Models that
// are no patterns, and what is known of the others.
func (p *Provider) names() (names []string) {
	for _, m := range p.Models {
		if !strings.ContainsAny(m, `*?[\`) {
			names = append(names, m)
		}
	}
	for _, m := range p.Known {
		if !slices.Contains(names, m) && p.has(m) {
			names = append(names, m)
		}
	}
	return names
}

func newOffer(name, owner string, targets []*target) offer {
	o := offer{name: name, owner: owner}
	for _, t := range targets {
		o.maxInput, o.maxOutput = least(o.maxInput, t.rules.Context), least(o.maxOutput, t.rules.MaxOutput)
		o.embeds = o.embeds || strings.Contains(t.model, "embed")
	}
	return o
}

// least returns the smaller of two limits of which 0 is none.
func least(a, b int64) int64 {
	if a == 0 || b == 0 {
		return a + b
	}
	return min(a, b)
}

func modelList(models []offer, dialect string) []byte {
	var b []byte
	switch dialect {
	case llm.Gemini:
		b = append(b, `{"models":[`...)
	case llm.Anthropic:
		b = append(b, `{"data":[`...)
	default:
		b = append(b, `{"object":"list","data":[`...)
	}
	for i, m := range models {
		if i > 0 {
			b = append(b, ',')
		}
		b = m.append(b, dialect)
	}
	if dialect != llm.Anthropic {
		return append(b, "]}"...)
	}
	b = append(b, `],"has_more":false,"first_id":`...)
	if len(models) == 0 {
		return append(b, `null,"last_id":null}`...)
	}
	b = jsonx.AppendString(b, models[0].name)
	b = append(b, `,"last_id":`...)
	return append(jsonx.AppendString(b, models[len(models)-1].name), '}')
}

// created is what two formats demand and nobody can know of a name.
var created = time.Unix(0, 0).UTC()

func (m *offer) append(b []byte, dialect string) []byte {
	switch dialect {
	case llm.Anthropic:
		return m.appendAnthropic(b)
	case llm.Gemini:
		return m.appendGemini(b)
	}
	b = jsonx.AppendString(append(b, `{"object":"model","id":`...), m.name)
	b = jsonx.AppendString(append(b, `,"created":0,"owned_by":`...), m.owner)
	return append(b, '}')
}

func (m *offer) appendAnthropic(b []byte) []byte {
	b = jsonx.AppendString(append(b, `{"type":"model","id":`...), m.name)
	b = jsonx.AppendString(append(b, `,"display_name":`...), m.name)
	b = append(b, `,"lifecycle":"active","capabilities":null,"max_input_tokens":`...)
	b = appendLimit(b, m.maxInput)
	b = appendLimit(append(b, `,"max_tokens":`...), m.maxOutput)
	return append(created.AppendFormat(append(b, `,"created_at":"`...), time.RFC3339), `"}`...)
}

func (m *offer) appendGemini(b []byte) []byte {
	b = jsonx.AppendString(append(b, `{"name":`...), "models/"+m.name)
	b = jsonx.AppendString(append(b, `,"displayName":`...), m.name)
	b = append(b, `,"version":"","supportedGenerationMethods":`...)
	if m.embeds {
		b = append(b, `["embedContent","batchEmbedContents"]`...)
	} else {
		b = append(b, `["generateContent","streamGenerateContent","countTokens"]`...)
	}
	if m.maxInput > 0 {
		b = strconv.AppendInt(append(b, `,"inputTokenLimit":`...), m.maxInput, 10)
	}
	if m.maxOutput > 0 {
		b = strconv.AppendInt(append(b, `,"outputTokenLimit":`...), m.maxOutput, 10)
	}
	return append(b, '}')
}

// appendLimit appends a number of tokens, or null if none is known.
func appendLimit(b []byte, n int64) []byte {
	if n == 0 {
		return append(b, "null"...)
	}
	return strconv.AppendInt(b, n, 10)
}
