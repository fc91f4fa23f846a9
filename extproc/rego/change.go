package rego

import (
	"bytes"
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A change is what one rule wants of a field of the request.
type change struct {
	path   string
	max    *int64
	value  []byte // JSON
	remove bool
}

// changes are what all rules so far want of a field. Only one can say what it is
// set to: nil, that it is removed.
type changes struct {
	path  string
	max   *int64         // the smallest
	limit claim[*change] // of the rules with a max the one of the highest priority
	set   claim[[]byte]
}

// One segment, for the fields of the canonical request lie side by side.
var pathPattern = regexp.MustCompile(`^/[a-z0-9_]{1,64}$`)

func readModify(h *head) effect {
	if h.count("path") == 0 || h.count("max", "value", "op") != 1 {
		h.fail("want path and one of max, value and op")
	}
	path, ok := h.text("path")
	if ok && !pathPattern.MatchString(path) {
		h.fail("path: want the JSON pointer of a field, such as /max_tokens, have %v", ast.String(path))
	}
	c := &change{path: strings.TrimPrefix(path, "/"), value: h.json("value")}
	if most, ok := h.integer("max", 1, maxInteger); ok {
		c.max = &most
	}
	_, c.remove = h.oneOf("op", removal)
	m := gateway.Modification{Path: c.path, Max: c.max, Value: c.value, Remove: c.remove}
	switch err := m.Check(); {
	case err == nil:
	case h.loading:
		h.fail("%w", err)
	default:
		h.fail("the field cannot be changed in this way")
	}
	return c
}

// removal is all that op can be.
var removal = []string{"remove"}

func (c *change) add(f *fold, r *rule) {
	sum := f.changes.at(c.path)
	sum.path = c.path
	if c.max != nil {
		if sum.max == nil || *c.max < *sum.max {
			sum.max = c.max
		}
		sum.limit.add(c, r, true)
	} else {
		sum.set.add(c.value, r, bytes.Equal(sum.set.value, c.value))
	}
}

// modification is the sum of all changes to a field. A number that has to stay
// below a maximum is cut to it. Of a removal and a maximum the one of the higher
// priority speaks.
func (c *changes) modification() (gateway.Modification, error) {
	m := gateway.Modification{Path: c.path}
	value, err := c.set.settled("modify: /", c.path, ": value or removal")
	if err != nil {
		return m, err
	}
	removed := c.set.made && value == nil
	switch {
	case c.max == nil || removed && c.set.priority > c.limit.priority:
		m.Value, m.Remove = bytes.Clone(value), removed
	case removed && c.set.priority == c.limit.priority:
		return m, undecided("modify: /"+c.path+": removal", c.set.by, "max", c.limit.by)
	case !removed && c.set.made && !above(value, *c.max):
		m.Value = bytes.Clone(value)
	case !removed && c.set.made:
		m.Value = strconv.AppendInt(nil, *c.max, 10)
	default:
		most := *c.max
		m.Max = &most
	}
	return m, nil
}

// above reports whether a value, JSON, is a number above a limit. What has a limit
// is a number.
func above(value []byte, most int64) bool {
	n, err := strconv.ParseFloat(string(value), 64)
	return err != nil || n > float64(most)
}

// A headerEffect sets or removes one header.
type headerEffect gateway.HeaderChange

type headerName struct {
	response bool
	name     string
}

func readHeader(h *head) effect {
	if h.count("name") == 0 || h.count("value", "op") != 1 {
		h.fail("want name and one of value and op")
	}
	e := headerEffect{}
	on, _ := h.oneOf("on", []string{"request", "response"})
	e.Response = on == "response"
	name, ok := h.text("name")
	if ok && !gateway.HeaderChangeable(name) {
		h.fail("name: %v is not a header that a policy may change", ast.String(name))
	}
	e.Name = name
	_, e.Remove = h.oneOf("op", removal)
	value, ok := h.text("value")
	if ok && strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
		h.fail("value: want printable ASCII")
	}
	e.Value = value
	return e
}

func (e headerEffect) add(f *fold, r *rule) {
	if f.headers == nil {
		f.headers = make(map[headerName]claim[headerEffect])
	}
	at := headerName{e.Response, e.Name}
	c := f.headers[at]
	c.add(e, r, e == c.value)
	f.headers[at] = c
}

func headerChanges(all map[headerName]claim[headerEffect]) (cs []gateway.HeaderChange, err error) {
	if len(all) == 0 {
		return nil, nil
	}
	for _, at := range slices.SortedFunc(maps.Keys(all), func(a, b headerName) int {
		return cmp.Or(cmp.Compare(a.name, b.name), compareTruth(a.response, b.response))
	}) {
		c := all[at]
		e, err := c.settled("header: ", at.name, ": value or removal")
		if err != nil {
			return nil, err
		}
		cs = append(cs, gateway.HeaderChange(e))
	}
	return cs, nil
}

func compareTruth(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
