package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/attache-gateway/attache/extproc/auth"
	"github.com/attache-gateway/attache/extproc/credential"
	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
	"github.com/attache-gateway/attache/extproc/rego"
	"github.com/attache-gateway/attache/extproc/telemetry"
)

const inputUse = "`file` with an HTTP request, or with the input of rules as JSON; - is the standard input"

// policyEval prints the decision about a request.
func (p *Program) policyEval(ctx context.Context, args []string) error {
	f := p.flags("policy eval")
	file := ruleFlags(f)
	input := f.String("i", "", inputUse)
	words, err := parseMixed(f, args, 1)
	if err != nil {
		return err
	}
	if *input == "" {
		return fmt.Errorf("%w: -i is missing", errUsage)
	}
	b, err := p.ruleBook(ctx, *file, words)
	if err != nil {
		return err
	}
	e, err := p.why(ctx, b, *input)
	if err != nil {
		return err
	}
	if e.Error != "" {
		return errors.New(e.Error)
	}
	return p.printJSON(e.Decision)
}

func (p *Program) printJSON(v any) error {
	e := json.NewEncoder(p.Stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// policyExplain says why a decision is as it is.
func (p *Program) policyExplain(ctx context.Context, args []string) error {
	f := p.flags("policy explain")
	file := ruleFlags(f)
	input := f.String("i", "", inputUse)
	id := f.String("id", "", "`ID` of a request in the log of decisions, which is its x-attache-request-id")
	log := logFlag(f)
	asJSON := f.Bool("json", false, "print JSON")
	words, err := parseMixed(f, args, 1)
	if err != nil {
		return err
	}
	if (*input == "") == (*id == "") {
		return fmt.Errorf("%w: say -i or --id", errUsage)
	}
	b, err := p.ruleBook(ctx, *file, words)
	if err != nil {
		return err
	}
	var e *gateway.Explanation
	if *id != "" {
		e, err = p.whyRecorded(ctx, b, *log, *id)
	} else {
		e, err = p.why(ctx, b, *input)
	}
	switch {
	case err != nil:
		return err
	case *asJSON:
		return p.printJSON(e)
	}
	return p.printExplanation(e)
}

// why explains the decision about a request in a file.
func (p *Program) why(ctx context.Context, b *ruleBook, name string) (*gateway.Explanation, error) {
	text, err := p.readInput(name)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return p.whyRequest(ctx, b, name, text)
	}
	policy, err := rego.Load(ctx, b.options)
	if err != nil {
		return nil, err
	}
	s, err := rego.ReadSight(text)
	if err == nil {
		s, err = policy.Complete(s)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return follow(ctx, policy, s), nil
}

// follow explains what a policy says about an input.
func follow(ctx context.Context, policy *rego.Policy, s rego.Sight) *gateway.Explanation {
	v, err := policy.Follow(ctx, s)
	e := &gateway.Explanation{Policy: policy.Revision(), Decision: v.Decision, Reasons: v.Reasons}
	if err != nil {
		e.Error = err.Error()
	}
	return e
}

// whyRecorded explains a decision in the log.
func (p *Program) whyRecorded(ctx context.Context, b *ruleBook, log, id string) (*gateway.Explanation, error) {
	policy, err := rego.Load(ctx, b.options)
	if err != nil {
		return nil, err
	}
	files, err := b.logs(log)
	if err != nil {
		return nil, err
	}
	for event, err := range telemetry.Read(files...) {
		if err != nil {
			return nil, err
		}
		if event.DecisionID != id || event.Path != telemetry.PathRequest {
			continue
		}
		s, why := recorded(event, policy)
		if why != "" {
			return nil, fmt.Errorf("%s cannot be explained by these rules: %s", id, why)
		}
		if was := event.Bundles["policy"].Revision; was != policy.Revision() {
			fmt.Fprintf(p.Stderr, "policy %s decided, these rules are %s\n", was, policy.Revision())
		}
		e := follow(ctx, policy, s)
		e.Request = id
		return e, nil
	}
	return nil, fmt.Errorf("%s is not in %s", id, strings.Join(files, ", "))
}

// whyRequest shows an HTTP request to a gateway of the configuration, which
// calls no provider.
func (p *Program) whyRequest(ctx context.Context, b *ruleBook, name string, text []byte) (*gateway.Explanation, error) {
	if b.config == nil {
		return nil, fmt.Errorf("%w: an HTTP request needs -c; without it the input is a JSON object", errUsage)
	}
	head, body, err := readRequest(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c := *b.config
	c.Policy.Explain = gateway.Explaining{All: true}
	policy, err := rego.Load(ctx, b.options)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.DiscardHandler)
	g, err := snapshot(ctx, &c, log, credential.NewSet(log), gateway.Rules{Policy: policy}, lasting{issuers: auth.NewKeyServers(log)})
	if err != nil {
		return nil, err
	}
	defer g.Close()
	x, answer := gateway.NewHolder(g).Open(head)
	defer x.Close(false)
	if answer == nil {
		answer, _ = x.Decide(ctx, body)
	}
	e := &gateway.Explanation{}
	switch {
	case answer == nil:
		return nil, fmt.Errorf("%s: no rule is asked about such a request", name)
	case answer.Status != http.StatusOK:
		return nil, fmt.Errorf("%s: the gateway refuses this before any rule is asked, with %d: %s", name, answer.Status, bytes.TrimSpace(answer.Body))
	case json.Unmarshal(answer.Body, e) != nil || e.Request != x.ID:
		return nil, fmt.Errorf("%s: no rule is asked about such a request", name)
	}
	return e, nil
}

// readRequest reads an HTTP request whose body goes to the end of the file, and
// asks for nothing but the explanation.
func readRequest(text []byte) (*gateway.Head, []byte, error) {
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	top, body, _ := bytes.Cut(text, []byte("\n\n"))
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(append(bytes.TrimSpace(top), "\n\n"...))))
	if err != nil {
		return nil, nil, fmt.Errorf("want JSON or an HTTP request, as POST /v1/chat/completions HTTP/1.1: %w", err)
	}
	h := &gateway.Head{Method: r.Method, Path: r.RequestURI, Headers: []llm.Header{{Name: gateway.ExplainHeader, Value: gateway.ExplainOnly}}}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		for _, v := range r.Header[name] {
			h.Headers = append(h.Headers, llm.Header{Name: strings.ToLower(name), Value: v})
		}
	}
	return h, body, nil
}
