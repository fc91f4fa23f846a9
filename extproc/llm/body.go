package llm

import (
	"cmp"
	"slices"
)

// A Span is a half-open range of byte offsets.
type Span struct{ Start, End int }

// Empty reports whether the span covers nothing.
func (s Span) Empty() bool { return s.Start >= s.End }

// A Member is one member of the body's top-level object.
type Member struct {
	Name  string
	At    Span // from the quote before the name to the end of the value
	Value Span
	Text  string `json:",omitempty"` // the value of a member that is not in the body; empty: it is
}

// A Body is a JSON object as the client sent it, with the places of its
// members, so that a target of the same dialect gets the client's own bytes
// with a few of them replaced.
type Body struct {
	Raw     []byte
	Members []Member // in order
}

// Member returns the raw value of a member, nil if there is none.
func (b *Body) Member(name string) []byte {
	if i := b.index(name); i >= 0 {
		v := b.Members[i].Value
		return b.Raw[v.Start:v.End]
	}
	return nil
}

func (b *Body) index(name string) int {
	return slices.IndexFunc(b.Members, func(m Member) bool { return m.Name == name })
}

// An Edit replaces a range of a body.
type Edit struct {
	At  Span
	New []byte
}

// A Patch collects changes to a Body without touching it. Of several changes
// to one member the last one holds.
type Patch struct {
	body  *Body
	edits []Edit
	sets  []Set
}

// Patch begins a set of changes.
func (b *Body) Patch(edits ...Edit) *Patch {
	return &Patch{body: b, edits: slices.Clone(edits)}
}

// Set gives a member a new value, which must be JSON. A member that is not
// there is added at the end.
func (p *Patch) Set(name string, value []byte) {
	for i := range p.sets {
		if p.sets[i].Name == name {
			p.sets[i].Value = value
			return
		}
	}
	p.sets = append(p.sets, Set{name, value})
}

// Remove takes a member out; one that is not there is no error.
func (p *Patch) Remove(name string) { p.Set(name, nil) }

// set returns what a member is set to.
func (p *Patch) set(name string) (value []byte, ok bool) {
	for _, s := range p.sets {
		if s.Name == name {
			return s.Value, true
		}
	}
	return nil, false
}

// Bytes returns the changed body. Without changes it is Body.Raw itself.
func (p *Patch) Bytes() []byte {
	raw, ms := p.body.Raw, p.body.Members
	if len(p.edits) == 0 && len(p.sets) == 0 {
		return raw
	}
	slices.SortStableFunc(p.edits, func(a, b Edit) int { return cmp.Compare(a.At.Start, b.At.Start) })
	out := make([]byte, 0, p.size())
	if len(ms) == 0 {
		return append(p.appendNew(append(out, '{'), true), '}')
	}
	out = append(out, raw[:ms[0].At.Start]...)
	first := true
	for i, m := range ms {
		value, ok := p.set(m.Name)
		if ok && value == nil {
			continue
		}
		if !first {
			out = append(out, raw[ms[i-1].At.End:m.At.Start]...)
		}
		first = false
		if ok {
			out = append(append(out, raw[m.At.Start:m.Value.Start]...), value...)
		} else {
			out = p.appendEdited(out, m.At)
		}
	}
	out = p.appendNew(out, first)
	return append(out, raw[ms[len(ms)-1].At.End:]...)
}

// appendEdited appends a range of the body with the edits that lie in it. Of
// two edits that overlap the later one is dropped.
func (p *Patch) appendEdited(out []byte, at Span) []byte {
	raw, from := p.body.Raw, at.Start
	for _, e := range p.edits {
		if e.At.Start < from || e.At.End > at.End {
			continue
		}
		out = append(append(out, raw[from:e.At.Start]...), e.New...)
		from = e.At.End
	}
	return append(out, raw[from:at.End]...)
}

// appendNew appends the members that the body does not have yet.
func (p *Patch) appendNew(out []byte, first bool) []byte {
	for _, s := range p.sets {
		if s.Value == nil || p.body.index(s.Name) >= 0 {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(append(append(out, '"'), s.Name...), `":`...)
		out = append(out, s.Value...)
	}
	return out
}

func (p *Patch) size() int {
	n := len(p.body.Raw)
	for _, e := range p.edits {
		n += len(e.New)
	}
	for _, s := range p.sets {
		n += len(s.Name) + len(s.Value) + 4
	}
	return n
}
