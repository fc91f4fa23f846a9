package rego

import (
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// failed is an error of an evaluation, with its kind and place.
func failed(err error) error {
	e := &gateway.PolicyError{Fault: gateway.FaultOther, Err: err}
	var of *topdown.Error
	if errors.As(err, &of) {
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

// malformed is an error of a rule's effect, which names the rule.
func malformed(r *rule, err error) error {
	return &gateway.PolicyError{Fault: gateway.FaultDecode, Rule: r.place, Err: fmt.Errorf("%s: %s: %w", r.place, r.verb.name, err)}
}
