// Package policies holds the published schemas of the policy contract, so that
// the program checks rules against the same files that authors read.
package policies

import _ "embed"

// InputSchema is the JSON Schema (draft 7) of the document that rules see.
//
//go:embed schema/input.json
var InputSchema []byte

// EffectsSchema is the JSON Schema (draft 7) of the heads of the verbs.
//
//go:embed schema/effects.json
var EffectsSchema []byte
