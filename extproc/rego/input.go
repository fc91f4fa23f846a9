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

// input builds the document that rules see, without the detour over Go maps.
// Every field is always there: one that the request does not have is "" or 0,
// so that a rule's condition is false rather than undefined.
func input(f *gateway.Facts) ast.Value {
	return ast.NewObject(
		member{keyRequest, request(f)},
		member{keyCaller, caller(&f.Caller)},
		member{keyUser, text(f.User)},
		member{keySession, text(f.Session)},
		member{keyProperties, texts(f.Properties)},
		member{keyCandidates, candidates(f.Candidates)},
		member{keyTime, clock(f.Now.UTC())},
	)
}

func request(f *gateway.Facts) *ast.Term {
	return ast.ObjectTerm(
		member{keyOp, text(string(f.Op))},
		member{keyDialect, text(f.Dialect)},
		member{keyPath, text(f.Path)},
		member{keyModel, text(f.Model)},
		member{keyStream, ast.InternedTerm(f.Stream)},
		member{keyMaxTokens, ast.InternedTerm(f.MaxTokens)},
		member{keyMessages, ast.InternedTerm(f.Messages)},
		member{keyImages, ast.InternedTerm(f.Images)},
		member{keyAudios, ast.InternedTerm(f.Audios)},
		member{keyFiles, ast.InternedTerm(f.Files)},
		member{keyTools, members(f.Tools)},
		member{keyBytes, ast.InternedTerm(f.Bytes)},
		member{keyTokens, ast.ObjectTerm(member{keyInput, ast.InternedTerm(f.InputTokens)})},
	)
}

func caller(c *gateway.Caller) *ast.Term {
	return ast.ObjectTerm(
		member{keyKey, text(c.KeyID)},
		member{keyOrg, text(c.Org)},
		member{keyTeam, text(c.Team)},
		member{keyUser, text(c.User)},
		member{keyRoles, members(c.Roles)},
		member{keyLabels, texts(c.Labels)},
	)
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
