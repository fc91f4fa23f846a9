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

// imagine makes up a request. The first has nothing, the second everything.
func imagine(r *rand.Rand, i int, o *Options) *gateway.Facts {
	f := &gateway.Facts{Record: &gateway.Record{}, Admin: &gateway.AdminCall{}, Temperature: -1, TopP: -1, Limits: unused(o.Limits), Budgets: unused(o.Budgets)}
	if i == 0 {
		return f
	}
	some := func() bool { return i == 1 || r.IntN(2) == 0 }
	word := func(words ...string) string { return words[r.IntN(len(words))] }
	text := func(words ...string) string {
		if some() {
			return word(words...)
		}
		return ""
	}
	number := func() int64 {
		if some() {
			return r.Int64N(1 << (r.IntN(5) * 5))
		}
		return 0
	}
	names := func() map[string]string {
		m := map[string]string{}
		for _, k := range []string{"tier", "residency", "tenant", "env", "cost_center"} {
			if some() {
				m[k] = text("free", "gold", "eu", "us", "prod", "a b", "é")
			}
		}
		return m
	}
	f.Now = time.Unix(r.Int64N(4e9), 0).UTC()
	f.Op = llm.Op(text(string(llm.OpChat), string(llm.OpEmbeddings), string(llm.OpForward)))
	f.Dialect, f.Path = text(llm.OpenAI, llm.Anthropic, llm.Gemini), text("/v1/chat/completions", "/v1/messages")
	f.Method = text("POST", "GET", "DELETE")
	f.Model, f.Format = text("smart", "openai/gpt-4o", "a,b", "x"), text("text", "json_object", "json_schema")
	f.Stream, f.MaxTokens, f.InputTokens = some(), number(), number()
	f.Messages, f.Images, f.Audios, f.Files = int(number()), int(number()), int(number()), int(number())
	f.Temperature, f.TopP, f.Bytes = number(), number(), number()
	f.Tools = []string{"search", "shell", "mail"}[:r.IntN(4)]
	f.Headers = []llm.Header{{Name: "user-agent", Value: text("curl/8", "OpenAI/Python 2.0")}}
	f.Caller = gateway.Caller{
		KeyID: text("k1", "k2"), Org: text("acme", "rival"), Team: text("search", "ads", "red"), User: text("ann", "bob"),
		Roles: []string{"dev", "admin", "operator"}[:r.IntN(4)], Labels: names(), Claims: map[string]any{"sub": text("ann"), "groups": []any{"dev"}},
	}
	f.Address, f.User, f.Session, f.Properties = text("192.0.2.1", "2001:db8::1"), text("u1", "u2"), text("s1"), names()
	for range r.IntN(4) {
		f.Candidates = append(f.Candidates, gateway.Candidate{
			Provider: word("openai", "anthropic", "local"), Model: word("gpt-4o", "claude-sonnet-4-5", "llama3.3"), Tags: names(), Region: text("eu", "us"),
			InputPrice: number() - 1, OutputPrice: number() - 1, Context: number(), MaxOutput: number(), State: word("closed", "open", "half_open"),
			ErrorsPermille: min(number(), 1000), LatencyMS: number(), FirstTokenMS: number(), InFlight: number(), Weight: number(), LeftPermille: min(number(), 1000),
		})
	}
	f.Limits, f.Budgets = someLeft(r, o.Limits, f.Now), someLeft(r, o.Budgets, f.Now)
	verdicts := func(names []string) map[string]gateway.Verdict {
		m := map[string]gateway.Verdict{}
		for _, name := range names {
			m[name] = gateway.Verdict{Action: gateway.Action(word("allow", "redact", "block")), Labels: []string{"email", "ssn"}[:r.IntN(3)], Scores: map[string]float64{"injection": r.Float64()}}
		}
		return m
	}
	f.Guards, f.Output = verdicts(o.Guards), verdicts(o.OutputGuards)
	f.Record.Status, f.Record.Usage.Output, f.Record.CostNano = 200+int(r.Int64N(400)), number(), number()
	f.Record.Provider, f.Record.Finish, f.Record.Truncated = text("openai"), llm.FinishReason(text("stop", "length")), some()
	*f.Admin = gateway.AdminCall{Method: text("GET", "POST", "DELETE"), Path: text("/api/keys", "/api/usage")}
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
