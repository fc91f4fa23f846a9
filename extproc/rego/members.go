package rego

import (
	"encoding/binary"
	"math"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// Members of the objects below, made once.
var (
	keyProvider    = ast.StringTerm("provider")
	keyModel       = ast.StringTerm("model")
	keyRegion      = ast.StringTerm("region")
	keyTags        = ast.StringTerm("tags")
	keyInputPrice  = ast.StringTerm("input_price")
	keyOutputPrice = ast.StringTerm("output_price")
	keyContext     = ast.StringTerm("context")
	keyMaxOutput   = ast.StringTerm("max_output")
	keyState       = ast.StringTerm("state")
	keyErrors      = ast.StringTerm("errors_permille")
	keyLatency     = ast.StringTerm("latency_ms")
	keyFirstToken  = ast.StringTerm("first_token_ms")
	keyInFlight    = ast.StringTerm("in_flight")
	keyWeight      = ast.StringTerm("weight")
	keyLeft        = ast.StringTerm("left_permille")

	keyAction   = ast.StringTerm("action")
	keyCode     = ast.StringTerm("code")
	keyFindings = ast.StringTerm("findings")
	keyLabels   = ast.StringTerm("labels")
	keyScores   = ast.StringTerm("scores")
)

// candidatesOf is the array of targets.
type candidatesOf struct{}

func (candidatesOf) term(f *gateway.Facts) *ast.Term {
	ts := make([]*ast.Term, len(f.Candidates))
	for i := range f.Candidates {
		c := &f.Candidates[i]
		ts[i] = ast.ObjectTerm(
			[2]*ast.Term{keyProvider, text(c.Provider)},
			[2]*ast.Term{keyModel, text(c.Model)},
			[2]*ast.Term{keyRegion, text(c.Region)},
			[2]*ast.Term{keyTags, textsOf(func(*gateway.Facts) map[string]string { return c.Tags }).term(nil)},
			[2]*ast.Term{keyInputPrice, ast.InternedTerm(c.InputPrice)},
			[2]*ast.Term{keyOutputPrice, ast.InternedTerm(c.OutputPrice)},
			[2]*ast.Term{keyContext, ast.InternedTerm(c.Context)},
			[2]*ast.Term{keyMaxOutput, ast.InternedTerm(c.MaxOutput)},
			[2]*ast.Term{keyState, text(c.State)},
			[2]*ast.Term{keyErrors, ast.InternedTerm(c.ErrorsPermille)},
			[2]*ast.Term{keyLatency, ast.InternedTerm(c.LatencyMS)},
			[2]*ast.Term{keyFirstToken, ast.InternedTerm(c.FirstTokenMS)},
			[2]*ast.Term{keyInFlight, ast.InternedTerm(c.InFlight)},
			[2]*ast.Term{keyWeight, ast.InternedTerm(c.Weight)},
			[2]*ast.Term{keyLeft, ast.InternedTerm(c.LeftPermille)},
		)
	}
	return ast.ArrayTerm(ts...)
}

// key appends the members of all candidates at a path as *.model, or all of
// each.
func (candidatesOf) key(b []byte, f *gateway.Facts, path []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(f.Candidates)))
	field := ""
	if len(path) > 1 {
		field = path[1]
	}
	for i := range f.Candidates {
		b = keyCandidate(b, &f.Candidates[i], field)
	}
	return b
}

func keyCandidate(b []byte, c *gateway.Candidate, field string) []byte {
	switch field {
	case lengthOf:
		return b
	case "provider":
		return keyText(b, c.Provider)
	case "model":
		return keyText(b, c.Model)
	case "region":
		return keyText(b, c.Region)
	case "tags":
		return keyTexts(b, c.Tags)
	case "state":
		return keyText(b, c.State)
	}
	if n := candidateNumber(c, field); n != nil {
		return binary.AppendVarint(b, *n)
	}
	b = keyTexts(keyText(keyText(keyText(keyText(b, c.Provider), c.Model), c.Region), c.State), c.Tags)
	for _, n := range [...]int64{c.InputPrice, c.OutputPrice, c.Context, c.MaxOutput, c.ErrorsPermille, c.LatencyMS, c.FirstTokenMS, c.InFlight, c.Weight, c.LeftPermille} {
		b = binary.AppendVarint(b, n)
	}
	return b
}

// candidateNumber is the number of a candidate that has a name, nil if none has.
func candidateNumber(c *gateway.Candidate, field string) *int64 {
	switch field {
	case "input_price":
		return &c.InputPrice
	case "output_price":
		return &c.OutputPrice
	case "context":
		return &c.Context
	case "max_output":
		return &c.MaxOutput
	case "errors_permille":
		return &c.ErrorsPermille
	case "latency_ms":
		return &c.LatencyMS
	case "first_token_ms":
		return &c.FirstTokenMS
	case "in_flight":
		return &c.InFlight
	case "weight":
		return &c.Weight
	case "left_permille":
		return &c.LeftPermille
	}
	return nil
}

// ofCandidates returns the name of the number that each candidate has at a path as
// *.latency_ms; empty: there is none.
func ofCandidates(v form, path []string) string {
	if _, ok := v.(candidatesOf); !ok || len(path) != 2 || candidateNumber(new(gateway.Candidate), path[1]) == nil {
		return ""
	}
	return path[1]
}

// guardsOf is an object of what guards found, by their names.
type guardsOf func(*gateway.Facts) map[string]gateway.Verdict

func (get guardsOf) term(f *gateway.Facts) *ast.Term {
	all := get(f)
	if len(all) == 0 {
		return emptyObject
	}
	o := ast.NewObjectWithCapacity(len(all))
	for name, v := range all {
		scores := ast.NewObjectWithCapacity(len(v.Scores))
		for k, s := range v.Scores {
			scores.Insert(text(k), ast.InternedTerm(permille(s)))
		}
		o.Insert(text(name), ast.ObjectTerm(
			[2]*ast.Term{keyAction, text(string(v.Action))},
			[2]*ast.Term{keyCode, text(v.Code)},
			[2]*ast.Term{keyFindings, ast.InternedTerm(len(v.Findings))},
			[2]*ast.Term{keyLabels, namesOf(func(*gateway.Facts) []string { return v.Labels }).term(nil)},
			[2]*ast.Term{keyScores, ast.NewTerm(scores)},
		))
	}
	return ast.NewTerm(o)
}

// permille is a score of 0 to 1 in thousandths.
func permille(s float64) int64 {
	if math.IsNaN(s) {
		return 0
	}
	return int64(math.Round(min(max(s, -1e6), 1e6) * 1000))
}

func (get guardsOf) key(b []byte, f *gateway.Facts, path []string) []byte {
	all := get(f)
	if len(path) == 0 || path[0] == anyMember {
		b = binary.AppendUvarint(b, uint64(len(all)))
		for _, name := range sorted(all) {
			b = keyVerdict(keyText(b, name), all[name])
		}
		return b
	}
	v, ok := all[path[0]]
	if !ok {
		return append(b, absent)
	}
	b = append(b, present)
	if len(path) == 1 {
		return keyVerdict(b, v)
	}
	switch path[1] {
	case "action":
		return keyText(b, string(v.Action))
	case "code":
		return keyText(b, v.Code)
	case "labels":
		return namesOf(func(*gateway.Facts) []string { return v.Labels }).key(b, nil, path[2:])
	case "scores":
		return scoresKey(b, v.Scores, path[2:])
	}
	return keyVerdict(b, v)
}

func keyVerdict(b []byte, v gateway.Verdict) []byte {
	b = keyText(keyText(b, string(v.Action)), v.Code)
	b = binary.AppendUvarint(b, uint64(len(v.Findings)))
	b = namesOf(func(*gateway.Facts) []string { return v.Labels }).key(b, nil, nil)
	return scoresKey(b, v.Scores, nil)
}

func scoresKey(b []byte, scores map[string]float64, path []string) []byte {
	if len(path) == 0 || path[0] == anyMember {
		b = binary.AppendUvarint(b, uint64(len(scores)))
		for _, k := range sorted(scores) {
			b = binary.AppendVarint(keyText(b, k), permille(scores[k]))
		}
		return b
	}
	s, ok := scores[path[0]]
	if !ok {
		return append(b, absent)
	}
	return binary.AppendVarint(append(b, present), permille(s))
}

func (get guardsOf) number(f *gateway.Facts, path []string) (int64, bool) {
	if len(path) < 2 {
		return 0, false
	}
	v, ok := get(f)[path[0]]
	switch {
	case !ok:
		return 0, false
	case path[1] == "findings":
		return int64(len(v.Findings)), true
	case len(path) == 3 && path[1] == "scores":
		s, ok := v.Scores[path[2]]
		return permille(s), ok
	}
	return 0, false
}

// verdictsOf is an object of what each guard that ran said, by its name.
type verdictsOf struct{}

func (verdictsOf) term(f *gateway.Facts) *ast.Term { return verdictTexts.term(f) }

func (verdictsOf) key(b []byte, f *gateway.Facts, path []string) []byte {
	return verdictTexts.key(b, f, path)
}

var verdictTexts = textsOf(func(f *gateway.Facts) map[string]string {
	m := make(map[string]string, len(f.Record.Verdicts))
	for name, action := range f.Record.Verdicts {
		m[name] = string(action)
	}
	return m
})
