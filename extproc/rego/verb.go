package rego

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A verb is a set that rules add effects to. policies/schema/effects.json
// describes the heads; the tests hold the two together.
type verb struct {
	name   string
	fields []string // that a head may have; nil: any
	read   func(*head) effect
}

var verbs = map[string]*verb{
	"allow":  {"allow", []string{"reason"}, readAllow},
	"deny":   {"deny", []string{"code", "status", "message", "retry_after_s", "priority"}, readDeny},
	"route":  {"route", []string{"require", "exclude", "chain", "timeout_ms", "first_token_ms"}, readRoute},
	"modify": {"modify", []string{"path", "max", "value", "op"}, readModify},
	"label":  {"label", nil, readLabel},
}

// laterVerbs belong to the contract but have no effect yet. A rule that uses
// one is refused: to ignore it would be to allow what it forbids.
var laterVerbs = []string{"cache", "guard", "limit", "log", "header"}

// decode reads the head of a rule. When loading, values that are known only
// when the rule is evaluated are left unchecked, and so is their absence.
func (v *verb) decode(value ast.Value, loading bool) (effect, error) {
	o, ok := value.(ast.Object)
	if !ok {
		if loading && !ast.IsConstant(value) {
			return nil, nil
		}
		return nil, fmt.Errorf("want an object, have %s", ast.ValueName(value))
	}
	h := &head{object: o, loading: loading}
	h.checkKeys(v.fields)
	e := v.read(h)
	if h.err != nil {
		return nil, h.err
	}
	return e, nil
}

func readAllow(h *head) effect {
	h.text("reason")
	return permission{}
}

var codePattern = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

func readDeny(h *head) effect {
	d := &denial{Denial: gateway.Denial{Code: llm.CodePolicyDenied, Status: 403}}
	if code, ok := h.text("code"); ok {
		d.Code = code
		if !codePattern.MatchString(code) {
			h.fail("code: %q does not match %s", code, codePattern)
		}
	}
	if status, ok := h.integer("status", 400, 599); ok {
		d.Status = int(status)
	}
	d.Message, _ = h.text("message")
	d.RetryAfterS, _ = h.integer("retry_after_s", 1, maxInteger)
	d.priority, _ = h.integer("priority", -maxInteger, maxInteger)
	return d
}

func readRoute(h *head) effect {
	if h.object.Len() == 0 {
		h.fail("want at least one field")
	}
	r := &routing{
		require: h.conditions("require"),
		exclude: h.conditions("exclude"),
		chain:   h.list("chain", maxChain),
	}
	r.timeout, _ = h.integer("timeout_ms", 1, maxInteger)
	r.firstToken, _ = h.integer("first_token_ms", 1, maxInteger)
	return r
}

// One segment, for the fields of the canonical request lie side by side.
var pathPattern = regexp.MustCompile(`^/[a-z0-9_]{1,64}$`)

func readModify(h *head) effect {
	if h.count("path") == 0 || h.count("max", "value", "op") != 1 {
		h.fail("want path and one of max, value and op")
	}
	path, ok := h.text("path")
	if ok && !pathPattern.MatchString(path) {
		h.fail("path: want the JSON pointer of a field, such as /max_tokens, have %q", path)
	}
	c := &change{path: strings.TrimPrefix(path, "/"), value: h.json("value")}
	if most, ok := h.integer("max", 1, maxInteger); ok {
		c.max = &most
	}
	if op, ok := h.text("op"); ok {
		c.remove = true
		if op != "remove" {
			h.fail(`op: want "remove", have %q`, op)
		}
	}
	return c
}

func readLabel(h *head) effect {
	return labels(h.texts("", h.object))
}
