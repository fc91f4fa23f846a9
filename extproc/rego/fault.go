package rego

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// failed is an error of an evaluation, with its kind and place.
func failed(err error) error {
	e := &gateway.PolicyError{Fault: gateway.FaultOther, Err: err}
	var of *topdown.Error
	if errors.As(err, &of) {
		e.Err = unquoted(of)
		switch of.Code {
		case topdown.BuiltinErr, topdown.TypeErr:
			e.Fault = gateway.FaultBuiltin
		case topdown.ConflictErr:
			e.Fault = gateway.FaultConflict
		}
		if of.Location != nil {
			e.Rule = place(of.Location)
		}
	}
	return e
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
	return &gateway.PolicyError{Fault: gateway.FaultDecode, Rule: r.place, Err: fmt.Errorf("%s: %s: %w", r.place, r.verb.name, err)}
}
