package rego

import (
	"strings"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// The entry points, as bits.
const (
	onRequest = 1 << iota
	onResponse
	onAdmin
)

// A fact is a leaf of the input document: where it stands, the entry points
// that have it, and how it is made of what is known.
type fact struct {
	path string
	on   int
	form form
}

// document is all that rules can see, in the order of policies/README.md.
// A field that a request does not have is "" or 0, so that a rule's condition is
// false rather than undefined. The files in policies/schema describe it as well;
// the tests hold them together.
var document = []fact{
	{"request.op", onRequest | onResponse, textOf(func(f *gateway.Facts) string { return string(f.Op) })},
	{"request.dialect", onRequest | onResponse, textOf(func(f *gateway.Facts) string { return f.Dialect })},
	{"request.method", onRequest | onResponse, textOf(func(f *gateway.Facts) string { return f.Method })},
	{"request.path", onRequest | onResponse, textOf(func(f *gateway.Facts) string { return f.Path })},
	{"request.model", onRequest | onResponse, textOf(func(f *gateway.Facts) string { return f.Model })},
	{"request.stream", onRequest | onResponse, truthOf(func(f *gateway.Facts) bool { return f.Stream })},
	{"request.max_tokens", onRequest | onResponse, numberOf(func(f *gateway.Facts) int64 { return f.MaxTokens })},
	{"request.temperature_milli", onRequest | onResponse, numberOf(func(f *gateway.Facts) int64 { return f.Temperature })},
	{"request.top_p_milli", onRequest | onResponse, numberOf(func(f *gateway.Facts) int64 { return f.TopP })},
	{"request.format", onRequest | onResponse, textOf(func(f *gateway.Facts) string { return f.Format })},
	{"request.messages", onRequest | onResponse, numberOf(func(f *gateway.Facts) int64 { return int64(f.Messages) })},
	{"request.images", onRequest | onResponse, numberOf(func(f *gateway.Facts) int64 { return int64(f.Images) })},
	{"request.audios", onRequest | onResponse, numberOf(func(f *gateway.Facts) int64 { return int64(f.Audios) })},
	{"request.files", onRequest | onResponse, numberOf(func(f *gateway.Facts) int64 { return int64(f.Files) })},
	{"request.tools", onRequest | onResponse, namesOf(func(f *gateway.Facts) []string { return f.Tools })},
	{"request.headers", onRequest | onResponse, headersOf(func(f *gateway.Facts) headers { return f.Headers })},
	{"request.bytes", onRequest | onResponse, numberOf(func(f *gateway.Facts) int64 { return f.Bytes })},
	{"request.tokens.input", onRequest | onResponse, numberOf(func(f *gateway.Facts) int64 { return f.InputTokens })},

	{"caller.key", onRequest | onResponse | onAdmin, textOf(func(f *gateway.Facts) string { return f.Caller.KeyID })},
	{"caller.org", onRequest | onResponse | onAdmin, textOf(func(f *gateway.Facts) string { return f.Caller.Org })},
	{"caller.team", onRequest | onResponse | onAdmin, textOf(func(f *gateway.Facts) string { return f.Caller.Team })},
	{"caller.user", onRequest | onResponse | onAdmin, textOf(func(f *gateway.Facts) string { return f.Caller.User })},
	{"caller.roles", onRequest | onResponse | onAdmin, namesOf(func(f *gateway.Facts) []string { return f.Caller.Roles })},
	{"caller.claims", onRequest | onResponse | onAdmin, claimsOf(func(f *gateway.Facts) map[string]any { return f.Caller.Claims })},
	{"caller.labels", onRequest | onResponse | onAdmin, textsOf(func(f *gateway.Facts) map[string]string { return f.Caller.Labels })},
	{"caller.address", onRequest | onResponse | onAdmin, textOf(func(f *gateway.Facts) string { return f.Address })},

	{"user", onRequest | onResponse, textOf(func(f *gateway.Facts) string { return f.User })},
	{"session", onRequest | onResponse, textOf(func(f *gateway.Facts) string { return f.Session })},
	{"properties", onRequest | onResponse, textsOf(func(f *gateway.Facts) map[string]string { return f.Properties })},
	{"candidates", onRequest, candidatesOf{}},
	{"guards", onRequest | onResponse, guardsOf(func(f *gateway.Facts) map[string]gateway.Verdict { return f.Guards })},
	{"limits", onRequest | onResponse, limitsLeft},
	{"budgets", onRequest | onResponse, budgetsLeft},

	{"response.status", onResponse, numberOf(func(f *gateway.Facts) int64 { return int64(f.Record.Status) })},
	{"response.code", onResponse, textOf(func(f *gateway.Facts) string { return f.Record.Code })},
	{"response.provider", onResponse, textOf(func(f *gateway.Facts) string { return f.Record.Provider })},
	{"response.model", onResponse, textOf(func(f *gateway.Facts) string {
		return strings.TrimPrefix(f.Record.Target, f.Record.Provider+"/")
	})},
	{"response.attempts", onResponse, numberOf(func(f *gateway.Facts) int64 { return int64(len(f.Record.Attempts)) })},
	{"response.finish", onResponse, textOf(func(f *gateway.Facts) string { return string(f.Record.Finish) })},
	{"response.truncated", onResponse, truthOf(func(f *gateway.Facts) bool { return f.Record.Truncated })},
	{"response.cancelled", onResponse, truthOf(func(f *gateway.Facts) bool { return f.Record.Cancelled })},
	{"response.duration_ms", onResponse, numberOf(func(f *gateway.Facts) int64 { return f.Record.Duration.Milliseconds() })},
	{"response.first_token_ms", onResponse, numberOf(func(f *gateway.Facts) int64 { return f.Record.FirstToken.Milliseconds() })},
	{"response.tokens.input", onResponse, numberOf(func(f *gateway.Facts) int64 { return f.Record.Usage.Input })},
	{"response.tokens.output", onResponse, numberOf(func(f *gateway.Facts) int64 { return f.Record.Usage.Output })},
	{"response.tokens.cache_read", onResponse, numberOf(func(f *gateway.Facts) int64 { return f.Record.Usage.CacheRead })},
	{"response.tokens.cache_write", onResponse, numberOf(func(f *gateway.Facts) int64 { return f.Record.Usage.CacheWrite })},
	{"response.tokens.reasoning", onResponse, numberOf(func(f *gateway.Facts) int64 { return f.Record.Usage.Reasoning })},
	{"response.cost_nano", onResponse, numberOf(func(f *gateway.Facts) int64 { return f.Record.CostNano })},
	{"response.cache", onResponse, textOf(func(f *gateway.Facts) string { return f.Record.Cache })},
	{"response.verdicts", onResponse, verdictsOf{}},
	{"response.guards", onResponse, guardsOf(func(f *gateway.Facts) map[string]gateway.Verdict { return f.Output })},

	{"admin.method", onAdmin, textOf(func(f *gateway.Facts) string { return f.Admin.Method })},
	{"admin.path", onAdmin, textOf(func(f *gateway.Facts) string { return f.Admin.Path })},

	{"time.unix_ms", onRequest | onResponse | onAdmin, numberOf(func(f *gateway.Facts) int64 { return f.Now.UnixMilli() })},
	{"time.minute", onRequest | onResponse | onAdmin, numberOf(func(f *gateway.Facts) int64 { return int64(f.Now.Minute()) })},
	{"time.hour", onRequest | onResponse | onAdmin, numberOf(func(f *gateway.Facts) int64 { return int64(f.Now.Hour()) })},
	{"time.minute_of_day", onRequest | onResponse | onAdmin, numberOf(func(f *gateway.Facts) int64 {
		return int64(f.Now.Hour()*60 + f.Now.Minute())
	})},
	{"time.weekday", onRequest | onResponse | onAdmin, textOf(func(f *gateway.Facts) string {
		return strings.ToLower(f.Now.Weekday().String())
	})},
}
