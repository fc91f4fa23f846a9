package rego

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

// smokeTime bounds the evaluation of one request when rules are tried. It is
// longer than a deadline should be: the first evaluation is slow, and so may the
// machine be.
const smokeTime = 500 * time.Millisecond

// made is how many requests are made up to try rules on.
const made = 16

// smoke tries the rules on made-up requests and on inputs of late. What fails
// there would fail on a request. Rules that contradict each other on a made-up
// request may never do so on a real one: that is a warning.
func (l *loader) smoke(ctx context.Context, p *Policy) error {
	for _, e := range p.entries() {
		r := rand.New(rand.NewPCG(1, uint64(e.on)))
		for i := range made {
			err := e.try(ctx, p.closed, e.input.term(imagine(r, i, &l.Options)).Value, smokeTime)
			if errors.As(err, new(contradictory)) {
				p.warnings = append(p.warnings, fmt.Sprintf("%v, on a made-up request", err))
				break
			}
			if err != nil {
				return fmt.Errorf("%w, on a made-up request", err)
			}
		}
	}
	if p.request != nil {
		for _, in := range l.Recent.fit(p.request) {
			if err := p.request.try(ctx, p.closed, in, smokeTime); err != nil {
				return fmt.Errorf("%w, on a request of late", err)
			}
		}
	}
	return nil
}

// try evaluates an input to the end.
func (e *entry) try(ctx context.Context, closed bool, in ast.Value, limit time.Duration) error {
	effects, err := e.evaluate(ctx, in, limit)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return e.diagnose(ctx, in, err)
	}
	if err != nil {
		return err
	}
	f, err := e.fold(effects, in)
	if err == nil {
		_, err = f.decision(closed)
	}
	return err
}

// A maker makes up what a request may have.
type maker struct {
	*rand.Rand
	all bool // nothing is left out
}

func (m maker) some() bool { return m.all || m.IntN(2) == 0 }

func (m maker) word(words ...string) string { return words[m.IntN(len(words))] }

// text is one of the words, or none.
func (m maker) text(words ...string) string {
	if m.some() {
		return m.word(words...)
	}
	return ""
}

func (m maker) number() int64 {
	if m.some() {
		return m.Int64N(1 << (m.IntN(5) * 5))
	}
	return 0
}

func (m maker) names() map[string]string {
	all := map[string]string{}
	for _, k := range []string{"tier", "residency", "tenant", "env", "cost_center"} {
		if m.some() {
			all[k] = m.text("free", "gold", "eu", "us", "prod", "a b", "é")
		}
	}
	return all
}

func (m maker) verdicts(names []string) map[string]gateway.Verdict {
	all := map[string]gateway.Verdict{}
	for _, name := range names {
		all[name] = gateway.Verdict{Action: gateway.Action(m.word("allow", "redact", "block")), Labels: []string{"email", "ssn"}[:m.IntN(3)], Scores: map[string]float64{"injection": m.Float64()}}
	}
	return all
}

func (m maker) candidate() gateway.Candidate {
	return gateway.Candidate{
		Provider: m.word("openai", "anthropic", "local"), Model: m.word("gpt-4o", "claude-sonnet-4-5", "llama3.3"), Tags: m.names(), Region: m.text("eu", "us"),
		InputPrice: m.number() - 1, OutputPrice: m.number() - 1, Context: m.number(), MaxOutput: m.number(), State: m.word("closed", "open", "half_open"),
		ErrorsPermille: min(m.number(), 1000), LatencyMS: m.number(), FirstTokenMS: m.number(), InFlight: m.number(), Weight: m.number(), LeftPermille: min(m.number(), 1000),
	}
}

// imagine makes up a request. The first has nothing, the second everything.
func imagine(r *rand.Rand, i int, o *Options) *gateway.Facts {
	f := &gateway.Facts{Record: &gateway.Record{}, Admin: &gateway.AdminCall{}, Temperature: -1, TopP: -1, Limits: unused(o.Limits), Budgets: unused(o.Budgets)}
	if i == 0 {
		return f
	}
	m := maker{r, i == 1}
	f.Now = time.Unix(r.Int64N(4e9), 0).UTC()
	f.Op = llm.Op(m.text(string(llm.OpChat), string(llm.OpEmbeddings), string(llm.OpForward)))
	f.Dialect, f.Path = m.text(llm.OpenAI, llm.Anthropic, llm.Gemini), m.text("/v1/chat/completions", "/v1/messages")
	f.Method = m.text("POST", "GET", "DELETE")
	f.Model, f.Format = m.text("smart", "openai/gpt-4o", "a,b", "x"), m.text("text", "json_object", "json_schema")
	f.Stream, f.MaxTokens, f.InputTokens = m.some(), m.number(), m.number()
	f.Messages, f.Images, f.Audios, f.Files = int(m.number()), int(m.number()), int(m.number()), int(m.number())
	f.Temperature, f.TopP, f.Bytes = m.number(), m.number(), m.number()
	f.Tools = []string{"search", "shell", "mail"}[:r.IntN(4)]
	f.Headers = []llm.Header{{Name: "user-agent", Value: m.text("curl/8", "OpenAI/Python 2.0")}}
	f.Caller = gateway.Caller{
		KeyID: m.text("k1", "k2"), Org: m.text("acme", "rival"), Team: m.text("search", "ads", "red"), User: m.text("ann", "bob"),
		Roles: []string{"dev", "admin", "operator"}[:r.IntN(4)], Labels: m.names(), Claims: map[string]any{"sub": m.text("ann"), "groups": []any{"dev"}},
	}
	f.Address, f.User, f.Session, f.Properties = m.text("192.0.2.1", "2001:db8::1"), m.text("u1", "u2"), m.text("s1"), m.names()
	for range r.IntN(4) {
		f.Candidates = append(f.Candidates, m.candidate())
	}
	f.Limits, f.Budgets = someLeft(r, o.Limits, f.Now), someLeft(r, o.Budgets, f.Now)
	f.Guards, f.Output = m.verdicts(o.Guards), m.verdicts(o.OutputGuards)
	f.Record.Status, f.Record.Usage.Output, f.Record.CostNano = 200+int(r.Int64N(400)), m.number(), m.number()
	f.Record.Provider, f.Record.Finish, f.Record.Truncated = m.text("openai"), llm.FinishReason(m.text("stop", "length")), m.some()
	*f.Admin = gateway.AdminCall{Method: m.text("GET", "POST", "DELETE"), Path: m.text("/api/keys", "/api/usage")}
	return f
}

// someLeft makes up what is left of limits.
func someLeft(r *rand.Rand, all []gateway.Limit, now time.Time) map[string]gateway.Left {
	m := unused(all)
	for name, l := range m {
		for _, n := range [...]*int64{&l.Left.Requests, &l.Left.Tokens, &l.Left.CostNano, &l.Left.Concurrent} {
			if *n > 0 {
				*n = r.Int64N(*n + 1)
			}
		}
		l.Used.CostNano = l.Max.CostNano - l.Left.CostNano
		l.Resets = now.Add(time.Duration(r.Int64N(int64(31 * 24 * time.Hour))))
		m[name] = l
	}
	return m
}
