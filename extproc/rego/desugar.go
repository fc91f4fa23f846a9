package rego

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// effectsName is the set that the rules of all verbs are merged into. One set
// is one look-up in OPA's rule index, however many verbs and files there are.
const effectsName = "effects"

// A rule is one rule of a verb.
type rule struct {
	id       string // custom.id of its METADATA, else its place
	place    string // file:line
	title    string // place, and the id in parentheses if it has one
	location *ast.Location
	priority int64 // custom.priority of its METADATA, ranked
	verb     *verb
	head     effect      // nil: not known before evaluation
	constant ast.Value   // the head as it was written, if it is known
	written  fields      // the same where it is constant but for facts
	facts    []*ast.Term // these, of the input
	last     *latest[decodedHead]
	limit    string          // the name of its limit; empty: it has none
	windows  []gateway.Limit // kinds of limits by the calendar that it may state
	always   bool            // the head is constant and there is no condition
	team     string          // whose rule it is; empty: the gateway's own
	cost     time.Duration
	indexed  bool
}

// desugar adds to each rule "verb contains X if body" of an entry point's
// package a copy of it: "effects contains N" where X is constant but for facts,
// which become conditions, else "effects contains [N, X]", N being the rule's
// index in the result. The originals stay, as rules may refer to them;
// unreferenced they cost nothing.
// The effects of a team's package join those of the gateway's for its callers.
// What rules name and the configuration does not have is a warning, one in a line.
func desugar(modules map[string]*ast.Module, o *Options) (rules map[int][]rule, warnings []string, err error) {
	d := desugarer{Options: o, rules: map[int][]rule{}, teams: map[home]bool{}, helpers: map[helper]*ast.Location{}, limits: map[string]bool{}, ids: map[ruleKey]string{}}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		d.module(name, modules[name])
	}
	if err := d.problems.join(); err != nil {
		return nil, nil, err
	}
	if err := undecidable(d.rules); err != nil {
		return nil, nil, err
	}
	if d.own == 0 {
		return nil, nil, withoutVerbs(modules)
	}
	for h := range d.teams {
		modules["teams/"+h.team+" "+packages[h.on]] = h.module()
	}
	return d.rules, d.warnings.lines(), nil
}

type desugarer struct {
	*Options
	rules    map[int][]rule // by entry point
	teams    map[home]bool  // that have rules
	helpers  map[helper]*ast.Location
	limits   map[string]bool    // names of limits
	ids      map[ruleKey]string // places of rules
	own      int                // rules that are not shipped
	problems problems
	warnings problems
}

// A home is an entry point, or a team's part of it.
type home struct {
	on   int
	team string // empty: the gateway's own
}

// A ruleKey is a rule of an entry point, by its id.
type ruleKey struct {
	on int
	id string
}

// A helper is a rule of an entry point's package that is no verb.
type helper struct {
	home
	name string
}

// homeOf returns the entry point that a package belongs to. It has an entry
// point of 0 if it is another package.
func homeOf(path []string) home {
	name := strings.Join(path, ".")
	team := ""
	if len(path) == 4 && path[0] == "attache" && path[1] == "team" {
		team = path[2]
		name = "attache." + path[3]
	}
	for on, p := range packages {
		if p == name && (team == "" || on != onAdmin) {
			return home{on, team}
		}
	}
	return home{}
}

// module is the rule that takes a team's effects in. The name of the package
// cannot carry anything else, as it is a string.
func (h home) module() *ast.Module {
	phase := strings.TrimPrefix(packages[h.on], "attache.")
	return ast.MustParseModuleWithOpts(fmt.Sprintf(`package %s

%s contains e if {
	input.caller.team == %q
	some e in data.attache.team[%[3]q].%s.%[2]s
}`, packages[h.on], effectsName, h.team, phase), ast.ParserOptions{RegoVersion: ast.RegoV1})
}

func (d *desugarer) module(name string, m *ast.Module) {
	path := packagePath(m)
	team, inTeam := teamOf(name)
	switch {
	case inTeam && (len(path) < 4 || path[0] != "attache" || path[1] != "team" || path[2] != team):
		d.problems.at(m.Package.Location, "package %s: the packages of team %s are attache.team[%q].request, .response and others below attache.team[%[3]q]", strings.Join(path, "."), team, team)
		return
	case !inTeam && len(path) > 1 && path[0] == "attache" && path[1] == "team":
		d.problems.at(m.Package.Location, "package %s: the rules of a team belong into teams/NAME", strings.Join(path, "."))
		return
	}
	h := homeOf(path)
	if h.on == 0 {
		if path[0] == "attache" && !inTeam && !shipped(name) {
			d.problems.at(m.Package.Location, "package %s: names below attache are reserved; rules go into attache.request, attache.response or attache.admin", strings.Join(path, "."))
		}
		return
	}
	var copies []*ast.Rule
	for _, r := range m.Rules {
		d.scattered(r, h)
		if c := d.rule(r, h); c != nil {
			copies = append(copies, c)
		}
	}
	if !shipped(name) {
		d.own += len(copies)
	}
	if h.team != "" && len(copies) > 0 {
		d.teams[h] = true
	}
	m.Rules = append(m.Rules, copies...)
}

// scattered finds helpers that two files define. Rego would hold either to be
// enough, so that a file could switch off a denial in another by the choice of a
// name.
func (d *desugarer) scattered(r *ast.Rule, h home) {
	name := string(r.Head.Ref()[0].Value.(ast.Var))
	if verbs[name] != nil {
		return
	}
	first := d.helpers[helper{h, name}]
	if first == nil {
		d.helpers[helper{h, name}] = r.Location
	} else if first.File != r.Location.File {
		d.problems.at(r.Location, "%s is defined at %s as well, and either would be enough; give one of them another name, or a package of its own", name, place(first))
	}
}

// packagePath is the path of a package without data.
func packagePath(m *ast.Module) (names []string) {
	for _, t := range m.Package.Path[1:] {
		s, _ := t.Value.(ast.String)
		names = append(names, string(s))
	}
	return names
}

// teamOf returns the team that a file belongs to.
func teamOf(name string) (string, bool) {
	rest, ok := strings.CutPrefix(name, "teams/")
	team, _, inFolder := strings.Cut(rest, "/")
	return team, ok && inFolder
}

// rule returns the copy of a verb's rule, nil for others.
func (d *desugarer) rule(r *ast.Rule, h home) *ast.Rule {
	name := string(r.Head.Ref()[0].Value.(ast.Var))
	v := verbs[name]
	switch {
	case name == effectsName:
		d.problems.at(r.Location, "%s is a reserved name", name)
		return nil
	case v == nil:
		return nil
	case v.on&h.on == 0:
		d.problems.at(r.Location, "%s has no effect in package %s; it has %s", name, packages[h.on], strings.Join(verbsOf(h.on), ", "))
		return nil
	case h.team != "" && !slices.Contains(d.Teams[h.team], name):
		d.problems.at(r.Location, "%s is not granted to team %s", name, h.team)
		return nil
	case !isSet(r) || len(r.Head.Ref()) != 1:
		d.problems.at(r.Location, "%s is a set: want %s contains {…} if …", name, name)
		return nil
	case name == "allow" && d.Default != Deny:
		d.problems.at(r.Location, "allow has no effect unless the default is to deny")
		return nil
	}
	return d.effect(r, v, h)
}

func verbsOf(on int) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(verbs)) {
		if verbs[name].on&on != 0 {
			names = append(names, name)
		}
	}
	return names
}

func (d *desugarer) effect(r *ast.Rule, v *verb, h home) *ast.Rule {
	n := len(d.rules[h.on])
	decoded, err := v.decode(r.Head.Key.Value, d.guardNames(), true)
	if err != nil {
		d.problems.at(r.Location, "%s: %w", v.name, err)
		return nil
	}
	made := rule{id: ruleID(r), place: place(r.Location), location: r.Location, team: h.team, verb: v, last: &latest[decodedHead]{}}
	made.title = made.called(made.place)
	switch said := decoded.(type) {
	case limitUse:
		made.limit, made.windows = said.Name, made.windowsOf(said, r.Head.Key.Value)
		d.limit(r.Location, made.limitName(said.Name))
	case *routing:
		d.names(r.Location, said)
	case cacheUse:
		d.cache(r.Location, said)
	}
	element, constant := ast.InternedTerm(n), ast.IsConstant(r.Head.Key.Value)
	if constant {
		made.head, made.constant = decoded, r.Head.Key.Value
	} else if made.template(r.Head.Key.Copy().Value); made.open() {
		element = ast.ArrayTerm(element, r.Head.Key.Copy())
	}
	if made.priority, err = priority(r); err != nil {
		d.problems.at(r.Location, "%w", err)
	}
	made.priority = made.ranked(made.priority)
	d.misspelt(r)
	d.identified(r.Location, h, &made)
	made.cost, made.indexed = costOf(r)
	made.always = constant && trivial(r.Body)
	d.rules[h.on] = append(d.rules[h.on], made)

	c := r.Copy()
	c.Head = ast.NewHead(effectsName, element)
	c.Head.Location = r.Head.Location
	for _, e := range there(made.facts, r.Body) {
		c.Body.Append(e)
	}
	return c
}

func ruleID(r *ast.Rule) string {
	for _, a := range r.Annotations {
		if id, ok := a.Custom["id"].(string); ok && id != "" {
			return id
		}
	}
	return place(r.Location)
}

// identified warns of a rule that has the id of another in its entry point: records
// cannot tell the two apart.
func (d *desugarer) identified(at *ast.Location, h home, r *rule) {
	is := ruleKey{h.on, r.id}
	if first, ok := d.ids[is]; ok {
		d.warnings.at(at, "the id %s in the METADATA is that of the rule at %s as well: records cannot tell them apart", r.id, first)
		return
	}
	d.ids[is] = r.place
}

// ranked is a priority among those of all rules: what a team says goes behind
// whatever the gateway's own rules say.
func (r *rule) ranked(priority int64) int64 {
	if r.team != "" {
		priority -= 4 * maxInteger
	}
	return priority
}

// misspelt warns of what in a rule's METADATA looks like its priority and is not.
func (d *desugarer) misspelt(r *ast.Rule) {
	for _, a := range r.Annotations {
		for _, name := range slices.Sorted(maps.Keys(a.Custom)) {
			if like := suggestion(name, []string{"priority"}); like != "" && name != "priority" {
				d.warnings.at(r.Location, "nothing in the METADATA is called %q%s", name, like)
			}
		}
	}
}

// priority is that of a rule's METADATA.
func priority(r *ast.Rule) (int64, error) {
	for _, a := range r.Annotations {
		v, ok := a.Custom["priority"]
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(fmt.Sprint(v), 10, 64)
		if err != nil || n < -maxInteger || n > maxInteger {
			return 0, fmt.Errorf("priority in the METADATA: want an integer from %d to %d, have %v", -maxInteger, maxInteger, v)
		}
		return n, nil
	}
	return 0, nil
}

// withoutVerbs says that there is no rule of a verb, and which may be one that is misspelt.
func withoutVerbs(modules map[string]*ast.Module) error {
	var ps problems
	for _, m := range modules {
		for _, r := range m.Rules {
			name := r.Head.Ref()[0].String()
			if homeOf(packagePath(m)).on != 0 && isSet(r) && verbs[name] == nil && name != effectsName {
				ps.at(r.Location, "%s is not a verb", name)
			}
		}
	}
	return errors.Join(ps.join(), errors.New("no rule of a verb in package attache.request, attache.response or attache.admin"))
}

// unusedSets finds sets that no rule refers to, in packages of entry points those
// that are no verb, in others those that are called like one: more likely the name
// of the verb or the package is misspelt than that this is a wish.
func unusedSets(c *ast.Compiler, ps *problems) {
	for _, m := range c.Modules {
		asked := homeOf(packagePath(m)).on != 0
		for _, r := range m.Rules {
			name := r.Head.Ref()[0].String()
			verb := verbs[name] != nil
			if !isSet(r) || verb == asked || name == effectsName || len(c.Graph.Dependents(r)) > 0 {
				continue
			}
			if asked {
				ps.at(r.Location, "%s is not a verb and no rule uses it", name)
			} else {
				ps.at(r.Location, "%s has no effect in package %s, and no rule uses it", name, strings.Join(packagePath(m), "."))
			}
		}
	}
}

func isSet(r *ast.Rule) bool { return r.Head.Key != nil && r.Head.RuleKind() == ast.MultiValue }

func place(l *ast.Location) string { return fmt.Sprintf("%s:%d", l.File, l.Row) }
