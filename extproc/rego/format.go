package rego

import (
	"bytes"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
)

// Format returns a file of rules in the form that opa fmt gives it, and whether
// that is another one.
func Format(name string, text []byte) (formatted []byte, changed bool, err error) {
	formatted, err = format.SourceWithOpts(name, text, format.Opts{RegoVersion: ast.RegoV1})
	if err != nil {
		return nil, false, fmt.Errorf("rego: format: %w", err)
	}
	return formatted, !bytes.Equal(formatted, text), nil
}
