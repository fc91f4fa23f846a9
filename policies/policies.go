// Package policies holds what is published of the policy contract and what is
// shipped with it, so that the program works by the same files that authors read.
package policies

import "embed"

// InputSchema is the JSON Schema (draft 7) of the document that rules see, of
// all entry points together.
//
//go:embed schema/input.json
var InputSchema []byte

// EffectsSchema is the JSON Schema (draft 7) of the heads of the verbs.
//
//go:embed schema/effects.json
var EffectsSchema []byte

// Shipped has the library and the default rules, below attache.
//
//go:embed attache
var Shipped embed.FS
