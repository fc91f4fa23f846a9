package rego

import (
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// Keys of the input document, made once. policies/schema/input.json describes
// the document; the tests hold the two together.
var (
	keyRequest   = ast.StringTerm("request")
	keyOp        = ast.StringTerm("op")
	keyDialect   = ast.StringTerm("dialect")
	keyPath      = ast.StringTerm("path")
	keyModel     = ast.StringTerm("model")
	keyStream    = ast.StringTerm("stream")
	keyMaxTokens = ast.StringTerm("max_tokens")
	keyMessages  = ast.StringTerm("messages")
	keyImages    = ast.StringTerm("images")
	keyAudios    = ast.StringTerm("audios")
	keyFiles     = ast.StringTerm("files")
	keyTools     = ast.StringTerm("tools")
	keyBytes     = ast.StringTerm("bytes")
	keyTokens    = ast.StringTerm("tokens")
	keyInput     = ast.StringTerm("input")

	keyCaller = ast.StringTerm("caller")
	keyKey    = ast.StringTerm("key")
	keyOrg    = ast.StringTerm("org")
	keyTeam   = ast.StringTerm("team")
	keyUser   = ast.StringTerm("user")
	keyRoles  = ast.StringTerm("roles")
	keyLabels = ast.StringTerm("labels")

	keySession    = ast.StringTerm("session")
	keyProperties = ast.StringTerm("properties")

	keyCandidates  = ast.StringTerm("candidates")
	keyProvider    = ast.StringTerm("provider")
	keyTags        = ast.StringTerm("tags")
	keyInputPrice  = ast.StringTerm("input_price")
	keyOutputPrice = ast.StringTerm("output_price")

	keyTime    = ast.StringTerm("time")
	keyUnixMS  = ast.StringTerm("unix_ms")
	keyHour    = ast.StringTerm("hour")
	keyWeekday = ast.StringTerm("weekday")

	emptyString = ast.StringTerm("")
	emptyObject = ast.ObjectTerm()

	weekdays = [...]*ast.Term{
		time.Sunday:    ast.StringTerm("sunday"),
		time.Monday:    ast.StringTerm("monday"),
		time.Tuesday:   ast.StringTerm("tuesday"),
		time.Wednesday: ast.StringTerm("wednesday"),
		time.Thursday:  ast.StringTerm("thursday"),
		time.Friday:    ast.StringTerm("friday"),
		time.Saturday:  ast.StringTerm("saturday"),
	}
)

// A member is a key of an object and its value.
type member = [2]*ast.Term

// A fact is a field of the document: how it is made of what is known.
type fact struct {
	name  *ast.Term
	path  string
	value func(*gateway.Facts) *ast.Term
}

// A section is a field at the top of the document, made in one piece or of
// parts.
type section struct {
	fact
	parts []fact
}

// document is all that rules can see. A field that the request does not have is
// "" or 0, so that a rule's condition is false rather than undefined.
var document = []section{
	{fact: fact{keyRequest, "request", nil}, parts: []fact{
		{keyOp, "request.op", func(f *gateway.Facts) *ast.Term { return text(string(f.Op)) }},
		{keyDialect, "request.dialect", func(f *gateway.Facts) *ast.Term { return text(f.Dialect) }},
		{keyPath, "request.path", func(f *gateway.Facts) *ast.Term { return text(f.Path) }},
		{keyModel, "request.model", func(f *gateway.Facts) *ast.Term { return text(f.Model) }},
		{keyStream, "request.stream", func(f *gateway.Facts) *ast.Term { return ast.InternedTerm(f.Stream) }},
		{keyMaxTokens, "request.max_tokens", func(f *gateway.Facts) *ast.Term { return ast.InternedTerm(f.MaxTokens) }},
		{keyMessages, "request.messages", func(f *gateway.Facts) *ast.Term { return ast.InternedTerm(f.Messages) }},
		{keyImages, "request.images", func(f *gateway.Facts) *ast.Term { return ast.InternedTerm(f.Images) }},
		{keyAudios, "request.audios", func(f *gateway.Facts) *ast.Term { return ast.InternedTerm(f.Audios) }},
		{keyFiles, "request.files", func(f *gateway.Facts) *ast.Term { return ast.InternedTerm(f.Files) }},
		{keyTools, "request.tools", func(f *gateway.Facts) *ast.Term { return members(f.Tools) }},
		{keyBytes, "request.bytes", func(f *gateway.Facts) *ast.Term { return ast.InternedTerm(f.Bytes) }},
		{keyTokens, "request.tokens", func(f *gateway.Facts) *ast.Term {
			return ast.ObjectTerm(member{keyInput, ast.InternedTerm(f.InputTokens)})
		}},
	}},
	{fact: fact{keyCaller, "caller", nil}, parts: []fact{
		{keyKey, "caller.key", func(f *gateway.Facts) *ast.Term { return text(f.Caller.KeyID) }},
		{keyOrg, "caller.org", func(f *gateway.Facts) *ast.Term { return text(f.Caller.Org) }},
		{keyTeam, "caller.team", func(f *gateway.Facts) *ast.Term { return text(f.Caller.Team) }},
		{keyUser, "caller.user", func(f *gateway.Facts) *ast.Term { return text(f.Caller.User) }},
		{keyRoles, "caller.roles", func(f *gateway.Facts) *ast.Term { return members(f.Caller.Roles) }},
		{keyLabels, "caller.labels", func(f *gateway.Facts) *ast.Term { return texts(f.Caller.Labels) }},
	}},
	{fact: fact{keyUser, "user", func(f *gateway.Facts) *ast.Term { return text(f.User) }}},
	{fact: fact{keySession, "session", func(f *gateway.Facts) *ast.Term { return text(f.Session) }}},
	{fact: fact{keyProperties, "properties", func(f *gateway.Facts) *ast.Term { return texts(f.Properties) }}},
	{fact: fact{keyCandidates, "candidates", func(f *gateway.Facts) *ast.Term { return candidates(f.Candidates) }}},
	{fact: fact{keyTime, "time", func(f *gateway.Facts) *ast.Term { return clock(f.Now.UTC()) }}},
}

// project leaves of the document what rules read.
func project(reads func(fact string) bool) (seen []section) {
	for _, s := range document {
		if !reads(s.path) {
			continue
		}
		var parts []fact
		for _, p := range s.parts {
			if reads(p.path) {
				parts = append(parts, p)
			}
		}
		seen = append(seen, section{s.fact, parts})
	}
	return seen
}

// input builds the document, without the detour over Go maps.
func input(sections []section, f *gateway.Facts) ast.Value {
	doc := ast.NewObjectWithCapacity(len(sections))
	for i := range sections {
		doc.Insert(sections[i].name, sections[i].term(f))
	}
	return doc
}

func (s *section) term(f *gateway.Facts) *ast.Term {
	if s.value != nil {
		return s.value(f)
	}
	o := ast.NewObjectWithCapacity(len(s.parts))
	for i := range s.parts {
		o.Insert(s.parts[i].name, s.parts[i].value(f))
	}
	return ast.NewTerm(o)
}

func candidates(cs []gateway.Candidate) *ast.Term {
	ts := make([]*ast.Term, len(cs))
	for i := range cs {
		c := &cs[i]
		ts[i] = ast.ObjectTerm(
			member{keyProvider, text(c.Provider)},
			member{keyModel, text(c.Model)},
			member{keyTags, texts(c.Tags)},
			member{keyInputPrice, ast.InternedTerm(c.InputPrice)},
			member{keyOutputPrice, ast.InternedTerm(c.OutputPrice)},
		)
	}
	return ast.ArrayTerm(ts...)
}

func clock(now time.Time) *ast.Term {
	return ast.ObjectTerm(
		member{keyUnixMS, ast.InternedTerm(now.UnixMilli())},
		member{keyHour, ast.InternedTerm(now.Hour())},
		member{keyWeekday, weekdays[now.Weekday()]},
	)
}

func text(s string) *ast.Term {
	if s == "" {
		return emptyString
	}
	return ast.StringTerm(s)
}

func texts(m map[string]string) *ast.Term {
	if len(m) == 0 {
		return emptyObject
	}
	ms := make([]member, 0, len(m))
	for k, v := range m {
		ms = append(ms, member{text(k), text(v)})
	}
	return ast.ObjectTerm(ms...)
}

// members is a set as an object {"name": true}: a look-up instead of a scan.
// Names may come twice.
func members(names []string) *ast.Term {
	if len(names) == 0 {
		return emptyObject
	}
	o := ast.NewObjectWithCapacity(len(names))
	for _, n := range names {
		o.Insert(text(n), ast.InternedTerm(true))
	}
	return ast.NewTerm(o)
}
