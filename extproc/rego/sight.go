package rego

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"
)

// A Sight is what rules see of a request: their input, as it was recorded or
// written.
type Sight struct{ object ast.Object }

// ReadSight reads an input, a JSON object.
func ReadSight(b []byte) (s Sight, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("rego: input: %w", err)
		}
	}()
	var v any
	d := util.NewJSONDecoder(bytes.NewReader(b))
	if err := d.Decode(&v); err != nil {
		return s, err
	}
	if d.More() {
		return s, errors.New("there is more behind the object")
	}
	value, err := ast.InterfaceToValue(v)
	if err != nil {
		return s, err
	}
	o, ok := value.(ast.Object)
	if !ok {
		return s, fmt.Errorf("want an object, have %s", ast.ValueName(value))
	}
	return Sight{o}, nil
}

// at returns the value at a path; nil: there is none.
func (s Sight) at(path []string) ast.Value {
	var v ast.Value = s.object
	for _, name := range path {
		o, ok := v.(ast.Object)
		if !ok {
			return nil
		}
		t := o.Get(ast.StringTerm(name))
		if t == nil {
			return nil
		}
		v = t.Value
	}
	return v
}

// Lacks returns the first field that the rules about requests read and that is
// not in a recorded input; empty: they see all that they look at. erased are
// paths, as properties.email, that were taken out of the record.
func (p *Policy) Lacks(s Sight, erased []string) string {
	if p.request == nil {
		return ""
	}
	for _, f := range document {
		if f.on&onRequest != 0 && p.request.reads(f.path) && s.at(split(f.path)) == nil {
			return f.path
		}
	}
	if i := slices.IndexFunc(erased, p.request.reads); i >= 0 {
		return erased[i]
	}
	return ""
}

// Complete adds to an input that somebody wrote what it does not say: the
// fields as they are of a request that has nothing, and of limits of which nothing is
// used. A field that rules about requests do not have is an error, and so is a value
// of another type than the field has: rules would say something else of it.
func (p *Policy) Complete(s Sight) (Sight, error) {
	if path := stranger(s.object, ""); path != "" {
		return Sight{}, fmt.Errorf("rego: input: there is no field %s", path)
	}
	nothing := project(onRequest, all).term(&p.nothing).Value.(ast.Object)
	for _, f := range document {
		if f.on&onRequest == 0 {
			continue
		}
		if err := f.fits(s.at(split(f.path)), Sight{nothing}.at(split(f.path))); err != nil {
			return Sight{}, fmt.Errorf("rego: input: %s%w", f.path, err)
		}
	}
	return Sight{overlay(nothing, s.object, "")}, nil
}

// fits says what is wrong with a written value of a fact, which may be nil, beside
// one that the gateway makes.
func (f fact) fits(written, made ast.Value) error {
	if written == nil {
		return nil
	}
	if have, want := ast.ValueName(written), ast.ValueName(made); have != want {
		return fmt.Errorf(": want %s, have %s", want, have)
	}
	var want ast.Value
	switch f.form.(type) {
	case namesOf:
		want = ast.Boolean(true)
	case textsOf, headersOf:
		want = ast.String("")
	default:
		return nil
	}
	return written.(ast.Object).Iter(func(name, member *ast.Term) error {
		if have, want := ast.ValueName(member.Value), ast.ValueName(want); have != want {
			return fmt.Errorf("[%s]: want %s, have %s", name, want, have)
		}
		return nil
	})
}

// stranger returns a path that the document of a request does not have; empty:
// there is none.
func stranger(o ast.Object, at string) (path string) {
	for _, key := range o.Keys() {
		name, _ := key.Value.(ast.String)
		here := strings.TrimPrefix(at+"."+string(name), ".")
		if isField(here) {
			continue
		}
		inner, ok := o.Get(key).Value.(ast.Object)
		if !ok || !slices.ContainsFunc(document, func(f fact) bool { return f.on&onRequest != 0 && below(f.path, here) }) {
			return here
		}
		if path := stranger(inner, here); path != "" {
			return path
		}
	}
	return ""
}

// isField reports whether a path is a leaf of the document of a request.
func isField(path string) bool {
	return slices.ContainsFunc(document, func(f fact) bool { return f.on&onRequest != 0 && f.path == path })
}

// overlay puts the fields of one document over those of another.
func overlay(under, over ast.Object, at string) ast.Object {
	sum := ast.NewObjectWithCapacity(under.Len())
	under.Foreach(func(k, v *ast.Term) { sum.Insert(k, v) })
	over.Foreach(func(k, v *ast.Term) {
		here := strings.TrimPrefix(at+"."+string(k.Value.(ast.String)), ".")
		if other := under.Get(k); other != nil && !isField(here) {
			v = ast.NewTerm(overlay(other.Value.(ast.Object), v.Value.(ast.Object), here))
		}
		sum.Insert(k, v)
	})
	return sum
}

// Replay evaluates a recorded or written input without the cache. It has more
// time than a request, since it is about what the rules say.
func (p *Policy) Replay(ctx context.Context, s Sight) (Evaluation, error) {
	return p.inspect(ctx, s.projected(p), explainTime)
}

// Follow is Replay with the rules that do not hold.
func (p *Policy) Follow(ctx context.Context, s Sight) (Evaluation, error) {
	return p.explain(ctx, s.projected(p))
}

// projected is the part of an input that the rules of a policy read.
func (s Sight) projected(p *Policy) ast.Value {
	if p.request == nil {
		return emptyObject.Value
	}
	return part(s.object, p.request.input)
}

// part keeps of an object the fields of a node.
func part(o ast.Object, n *node) ast.Object {
	kept := ast.NewObjectWithCapacity(len(n.parts))
	for _, child := range n.parts {
		t := o.Get(child.key)
		if t == nil {
			continue
		}
		if inner, ok := t.Value.(ast.Object); ok && child.leaf == nil {
			t = ast.NewTerm(part(inner, child))
		}
		kept.Insert(child.key, t)
	}
	return kept
}
