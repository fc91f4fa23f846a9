package rego

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A verb is a set that rules add effects to. policies/schema/effects.json
// describes the heads; the tests hold the two together.
type verb struct {
	name   string
	on     int      // the entry points that have it
	fields []string // that a head may have; nil: any
	read   func(*head) effect
}

var verbs = map[string]*verb{
	"allow":  {"allow", onRequest, []string{"reason"}, readAllow},
	"deny":   {"deny", onRequest | onAdmin, []string{"code", "status", "message", "retry_after_s", "priority"}, readDeny},
	"route":  {"route", onRequest, []string{"require", "exclude", "prefer", "weight", "chain", "split", "pick", "timeout_ms", "first_token_ms"}, readRoute},
	"modify": {"modify", onRequest, []string{"path", "max", "value", "op"}, readModify},
	"header": {"header", onRequest, []string{"on", "name", "value", "op"}, readHeader},
	"guard":  {"guard", onRequest, []string{"name", "on"}, readGuard},
	"limit":  {"limit", onRequest, []string{"name", "per", "window_s", "window", "requests", "tokens", "cost_nano", "concurrent"}, readLimit},
	"cache":  {"cache", onRequest | onResponse, []string{"mode", "ttl_s", "scope"}, readCache},
	"log":    {"log", onRequest | onResponse, []string{"level", "redact"}, readLog},
	"label":  {"label", onRequest | onResponse, nil, readLabel},
}

// decode reads the head of a rule. When loading, values that are known only
// when the rule is evaluated are left unchecked, and so is their absence.
// guards are the names that the configuration has.
func (v *verb) decode(value ast.Value, guards guardNames, loading bool) (effect, error) {
	o, ok := value.(ast.Object)
	if !ok {
		if loading && !ast.IsConstant(value) {
			return nil, nil
		}
		return nil, fmt.Errorf("want an object, have %s", ast.ValueName(value))
	}
	return v.members(o, guards, loading)
}

// members is decode for the members of a head.
func (v *verb) members(o members, guards guardNames, loading bool) (effect, error) {
	h := &head{object: o, guards: guards, loading: loading}
	h.checkKeys(v.fields)
	e := v.read(h)
	if h.err != nil {
		return nil, h.err
	}
	return e, nil
}
