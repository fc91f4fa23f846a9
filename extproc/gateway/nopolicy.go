package gateway

import "context"

// NoPolicy allows everything, where the configuration names no rules.
type NoPolicy struct{}

// Decide allows the request.
func (NoPolicy) Decide(context.Context, *Facts) (Decision, error) { return Decision{}, nil }

// Reviews reports that there are no rules.
func (NoPolicy) Reviews() bool { return false }

// Review says nothing.
func (NoPolicy) Review(context.Context, *Facts) (Review, error) { return Review{}, nil }

// Reads reports that no fact is looked at.
func (NoPolicy) Reads(string) bool { return false }

// Revision is empty.
func (NoPolicy) Revision() string { return "" }
