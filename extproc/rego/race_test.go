//go:build race

package rego

// underRace says that the race detector watches.
const underRace = true
