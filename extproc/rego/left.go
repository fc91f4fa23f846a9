package rego

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A leftField is a number that rules see of a limit or a budget.
type leftField struct {
	name string
	key  *ast.Term
	of   func(l *gateway.Left, now time.Time) int64
}

func left(name string, of func(l *gateway.Left, now time.Time) int64) leftField {
	return leftField{name, ast.StringTerm(name), of}
}

// leftOf is an object of what is left of limits or budgets, by their names.
type leftOf struct {
	of     func(*gateway.Facts) map[string]gateway.Left
	fields []leftField
	state  bool // there is the state as well
}

var limitsLeft = leftOf{
	of: func(f *gateway.Facts) map[string]gateway.Left { return f.Limits },
	fields: []leftField{
		left("requests_left", func(l *gateway.Left, _ time.Time) int64 { return remaining(l.Max.Requests, l.Left.Requests) }),
		left("tokens_left", func(l *gateway.Left, _ time.Time) int64 { return remaining(l.Max.Tokens, l.Left.Tokens) }),
		left("concurrent_left", func(l *gateway.Left, _ time.Time) int64 { return remaining(l.Max.Concurrent, l.Left.Concurrent) }),
		left("left_permille", func(l *gateway.Left, _ time.Time) int64 { return l.Permille() }),
	},
}

var budgetsLeft = leftOf{
	of: func(f *gateway.Facts) map[string]gateway.Left { return f.Budgets },
	fields: []leftField{
		left("limit_nano", func(l *gateway.Left, _ time.Time) int64 { return l.Max.CostNano }),
		left("used_nano", func(l *gateway.Left, _ time.Time) int64 { return l.Used.CostNano }),
		left("left_nano", func(l *gateway.Left, _ time.Time) int64 { return remaining(l.Max.CostNano, l.Left.CostNano) }),
		left("left_permille", func(l *gateway.Left, _ time.Time) int64 { return l.Permille() }),
		left("resets_s", func(l *gateway.Left, now time.Time) int64 { return seconds(l.Resets.Sub(now)) }),
	},
	state: true,
}

// remaining is what is left of a measure, -1 if it is not limited.
func remaining(most, left int64) int64 {
	if most < 0 {
		return -1
	}
	return max(left, 0)
}

// seconds rounds up.
func seconds(d time.Duration) int64 { return int64(max(d+time.Second-1, 0) / time.Second) }

// low is the part of a budget, in permille, below which it is low.
const low = 100

var (
	keyBudgetState = ast.StringTerm("state")
	stateOK        = ast.StringTerm("ok")
	stateLow       = ast.StringTerm("low")
	stateExhausted = ast.StringTerm("exhausted")
)

// budgetState digests how much is left. A budget of which less than a thousandth
// is left is good for no request.
func budgetState(l *gateway.Left) *ast.Term {
	switch p := l.Permille(); {
	case p == 0:
		return stateExhausted
	case p < low:
		return stateLow
	}
	return stateOK
}

func (v leftOf) term(f *gateway.Facts) *ast.Term {
	all := v.of(f)
	if len(all) == 0 {
		return emptyObject
	}
	o := ast.NewObjectWithCapacity(len(all))
	for name := range all {
		o.Insert(text(name), v.member(f, name))
	}
	return ast.NewTerm(o)
}

func (v leftOf) member(f *gateway.Facts, name string) *ast.Term {
	l, ok := v.of(f)[name]
	if !ok {
		return nil
	}
	o := ast.NewObjectWithCapacity(len(v.fields) + 1)
	for i := range v.fields {
		o.Insert(v.fields[i].key, ast.InternedTerm(v.fields[i].of(&l, f.Now)))
	}
	if v.state {
		o.Insert(keyBudgetState, budgetState(&l))
	}
	return ast.NewTerm(o)
}

func (v leftOf) key(b []byte, f *gateway.Facts, path []string) []byte {
	all := v.of(f)
	if len(path) == 0 || path[0] == anyMember {
		b = binary.AppendUvarint(b, uint64(len(all)))
		for _, name := range sorted(all) {
			l := all[name]
			b = v.keyOne(keyText(b, name), &l, f.Now)
		}
		return b
	}
	l, ok := all[path[0]]
	if !ok {
		return append(b, absent)
	}
	b = append(b, present)
	if len(path) > 1 && path[1] == "state" {
		return keyText(b, string(budgetState(&l).Value.(ast.String)))
	}
	if i := v.field(path); i >= 0 {
		return binary.AppendVarint(b, v.fields[i].of(&l, f.Now))
	}
	return v.keyOne(b, &l, f.Now)
}

// keyOne appends all numbers, which the state is one of.
func (v leftOf) keyOne(b []byte, l *gateway.Left, now time.Time) []byte {
	for i := range v.fields {
		b = binary.AppendVarint(b, v.fields[i].of(l, now))
	}
	return b
}

// field finds the number at a path as team.left_nano; -1: there is none.
func (v leftOf) field(path []string) int {
	if len(path) != 2 || path[0] == anyMember {
		return -1
	}
	return slices.IndexFunc(v.fields, func(f leftField) bool { return f.name == path[1] })
}

// members are the names of what there is of each.
func (v leftOf) members() (names []string) {
	for _, f := range v.fields {
		names = append(names, f.name)
	}
	if v.state {
		names = append(names, "state")
	}
	return names
}

func (v leftOf) number(f *gateway.Facts, path []string) (int64, bool) {
	i := v.field(path)
	if i < 0 {
		return 0, false
	}
	l, ok := v.of(f)[path[0]]
	if !ok {
		return 0, false
	}
	return v.fields[i].of(&l, f.Now), true
}

// unnamed says why there is nothing at a path of the input with a name of the
// configuration or of a header in it; empty: there is.
func (o *Options) unnamed(path []string) string {
	if len(path) < 2 {
		return ""
	}
	switch path[0] {
	case "request":
		if path[1] == "headers" && len(path) > 2 && path[2] != anyMember && path[2] != lengthOf {
			return unseenHeader(path[2])
		}
	case "properties":
		if path[1] != strings.ToLower(path[1]) {
			return "names of properties are in lower case"
		}
	case "guards":
		if path[1] != anyMember && !slices.Contains(o.Guards, path[1]) {
			return "there is no guard of this name in the configuration"
		}
	case "response":
		if path[1] == "guards" && len(path) > 2 && path[2] != anyMember && !slices.Contains(o.OutputGuards, path[2]) {
			return "there is no guard of this name with output in the configuration"
		}
	case "limits":
		return limitsLeft.unnamed(o.Limits, "limit", path[1:])
	case "budgets":
		return budgetsLeft.unnamed(o.Budgets, "budget", path[1:])
	}
	return ""
}

func unseenHeader(name string) string {
	switch {
	case name != strings.ToLower(name):
		return "names of headers are in lower case"
	case gateway.Concealed(name):
		return "rules do not see headers that carry keys or cookies, or that are user, session and properties"
	}
	return ""
}

func (v leftOf) unnamed(all []gateway.Limit, kind string, path []string) string {
	most := maxOf(all, path[0])
	switch {
	case len(path) > 1 && path[1] != anyMember && path[1] != lengthOf && !slices.Contains(v.members(), path[1]):
		return "want " + strings.Join(v.members(), ", ")
	case path[0] == anyMember:
		return ""
	case !slices.ContainsFunc(all, func(l gateway.Limit) bool { return l.Name == path[0] }):
		return fmt.Sprintf("there is no %s of this name in the configuration", kind)
	case most == nil:
		return fmt.Sprintf("this %s is per model or provider, of which there may be several; see candidates[_].left_permille", kind)
	case len(path) < 2:
		return ""
	}
	for _, m := range [...]struct {
		name string
		most int64
	}{{"requests_left", most.Requests}, {"tokens_left", most.Tokens}, {"concurrent_left", most.Concurrent}} {
		if m.name == path[1] && m.most < 0 {
			return "this limit says nothing of it"
		}
	}
	return ""
}

// maxOf is what the limit of a name allows, if that is known before there is a
// target; else nil.
func maxOf(all []gateway.Limit, name string) *gateway.Amount {
	i := slices.IndexFunc(all, func(l gateway.Limit) bool { return l.Name == name })
	if i < 0 || all[i].Per == "model" || all[i].Per == "provider" {
		return nil
	}
	most := all[i].Max()
	return &most
}

// unused is what rules see of limits of which nobody has used anything.
func unused(all []gateway.Limit) map[string]gateway.Left {
	m := map[string]gateway.Left{}
	for _, l := range all {
		if most := maxOf(all, l.Name); most != nil {
			m[l.Name] = gateway.Left{Max: *most, Left: *most}
		}
	}
	return m
}
