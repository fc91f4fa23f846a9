package rego

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// failed is an error of an evaluation, with its kind and place.
func (e *entry) failed(err error) error {
	p := &gateway.PolicyError{Fault: gateway.FaultOther, Err: err}
	var of *topdown.Error
	if errors.As(err, &of) {
		p.Err = unquoted(of)
		switch of.Code {
		case topdown.BuiltinErr, topdown.TypeErr:
			p.Fault = gateway.FaultBuiltin
		case topdown.ConflictErr:
			p.Fault = gateway.FaultConflict
		}
		if of.Location != nil {
			p.Rule = e.title(of.Location)
		}
	}
	return p
}

// title is how a place is called, in a rule of the entry point or anywhere else.
func (e *entry) title(l *ast.Location) string {
	at := place(l)
	if i := slices.IndexFunc(e.rules, func(r rule) bool { return r.has(l) }); i >= 0 {
		return e.rules[i].called(at)
	}
	return at
}

// called is how a place in the rule is called: by the rule's id as well.
func (r *rule) called(place string) string {
	if r.id == r.place {
		return place
	}
	return place + " (" + r.id + ")"
}

// has reports whether a line is the rule's.
func (r *rule) has(l *ast.Location) bool {
	first := r.location
	return first.File == l.File && first.Row <= l.Row && l.Row <= first.Row+bytes.Count(first.Text, []byte("\n"))
}

// operandTypes are all that may follow a builtin's name in an error.
var operandTypes = regexp.MustCompile(`^operand \d+ must be [a-z]+ but got [a-z]+$`)

// unquoted is an error of OPA's without what it quotes, which may be of the
// request: errors go where nothing is masked.
func unquoted(of *topdown.Error) error {
	e := &topdown.Error{Code: of.Code, Location: of.Location}
	switch of.Code {
	case topdown.BuiltinErr, topdown.TypeErr:
		name, why, _ := strings.Cut(of.Message, ": ")
		if e.Message = name + " failed"; operandTypes.MatchString(why) {
			e.Message = of.Message
		}
	case topdown.ConflictErr:
		what, values, _ := strings.Cut(of.Message, ":\n")
		var places []string
		for line := range strings.Lines(values) {
			if i := strings.LastIndex(line, " at "); i >= 0 {
				places = append(places, strings.TrimSpace(line[i:]))
			}
		}
		e.Message = strings.TrimSpace(what + " " + strings.Join(places, ", "))
	default:
		e.Message = "evaluation failed"
	}
	return e
}

// malformed is an error of a rule's effect, which names the rule.
func malformed(r *rule, err error) error {
	return &gateway.PolicyError{Fault: gateway.FaultDecode, Rule: r.title, Err: fmt.Errorf("%s: %s: %w", r.title, r.verb.name, err)}
}
