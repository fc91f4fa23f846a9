package rego

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A problem is one thing that is wrong with the files of a policy.
type problem struct {
	file string
	line int // 0: the whole file
	err  error
}

func (p problem) Error() string {
	if p.line == 0 {
		return fmt.Sprintf("%s: %v", p.file, p.err)
	}
	return fmt.Sprintf("%s:%d: %v", p.file, p.line, p.err)
}

func (p problem) Unwrap() error { return p.err }

// Problems are all that was found in one step of loading.
type problems []problem

func (ps *problems) at(l *ast.Location, format string, args ...any) {
	*ps = append(*ps, problem{l.File, l.Row, fmt.Errorf(format, args...)})
}

// found adds what OPA's parser or compiler says.
func (ps *problems) found(file string, err error) {
	var list ast.Errors
	var one *ast.Error
	switch {
	case errors.As(err, &list):
	case errors.As(err, &one):
		list = ast.Errors{one}
	default:
		*ps = append(*ps, problem{file: file, err: err})
	}
	for _, e := range list {
		p := problem{file: file, err: e}
		if e.Location != nil { // its text begins with the place
			p = problem{e.Location.File, e.Location.Row, (*placed)(e)}
		}
		*ps = append(*ps, p)
	}
}

// A placed error is one of OPA's without its place, which the problem has.
type placed ast.Error

func (p *placed) Error() string {
	e := ast.Error(*p)
	e.Location = nil
	return e.Error()
}

// join makes one error of all problems, in the order of files and lines and
// each once; nil if there are none.
func (ps problems) join() error {
	ps.sort()
	ps = slices.CompactFunc(ps, func(a, b problem) bool { return a.Error() == b.Error() })
	errs := make([]error, len(ps))
	for i, p := range ps {
		errs[i] = p
	}
	return errors.Join(errs...)
}

func (ps problems) sort() {
	slices.SortStableFunc(ps, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line), cmp.Compare(a.Error(), b.Error()))
	})
}
