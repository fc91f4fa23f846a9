package telemetry

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// A Verified chain is whole from its first line to its last one.
type Verified struct {
	Chain string `json:"chain"`
	First uint64 `json:"first"` // number of the first line; above 1 where older files are not there
	Last  uint64 `json:"last"`
	Head  string `json:"head"`          // hash of the last line
	Cut   string `json:"cut,omitempty"` // the file behind whose last line there is a part of another; empty: none
}

// Verify checks the files of one or more logs, in any order. An error names the
// first line that is not what was written there, or is missing before it.
//
// What is not there to be looked at cannot be missed: files before the first and
// lines behind the last one. See the package's comment.
func Verify(paths ...string) ([]Verified, error) {
	files, err := sorted(paths)
	if err != nil {
		return nil, err
	}
	var found []Verified
	for _, f := range files {
		if len(found) == 0 || found[len(found)-1].Chain != f.first.Chain {
			found = append(found, Verified{Chain: f.first.Chain, First: f.first.Seq})
		}
		if err := found[len(found)-1].add(f.path); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// An opening is a file with its first line's link.
type opening struct {
	path  string
	first Link
}

// sorted returns the files by chain and line. Those without a line are left out:
// one is empty after it was put aside.
func sorted(paths []string) ([]opening, error) {
	var files []opening
	for _, path := range paths {
		for l, err := range lines(path) {
			if err != nil {
				return nil, err
			}
			if l.cut { // nothing before it
				break
			}
			first, _, err := link(l.text)
			if err != nil {
				return nil, l.wrap(err)
			}
			files = append(files, opening{path, first})
			break
		}
	}
	slices.SortStableFunc(files, func(a, b opening) int {
		return cmp.Or(cmp.Compare(a.first.Chain, b.first.Chain), cmp.Compare(a.first.Seq, b.first.Seq))
	})
	return files, nil
}

var (
	errStart   = errors.New("the lines before this one are missing: it is not the first of a file")
	errAnother = errors.New("this line belongs to another chain")
	errBefore  = errors.New("the line before this one is another than was there")
)

// add checks the lines of the next file.
func (v *Verified) add(path string) error {
	for l, err := range lines(path) {
		if err != nil {
			return err
		}
		if v.Cut != "" {
			return l.wrap(fmt.Errorf("the line before this one, the last of %s, was cut", v.Cut))
		}
		if l.cut {
			v.Cut = path
			return nil
		}
		if err := v.next(l); err != nil {
			return l.wrap(err)
		}
	}
	return nil
}

// next checks that a line follows the last one.
func (v *Verified) next(l *line) error {
	k, at, err := link(l.text)
	prev := v.Head
	if v.Last == 0 && k.Seq == 1 {
		prev = hex.EncodeToString(make([]byte, len(at.hash)))
	}
	switch {
	case err != nil:
		return err
	case l.n == 1 && !k.Opens:
		return errStart
	case k.Chain != v.Chain:
		return errAnother
	case v.Last > 0 && k.Seq != v.Last+1:
		return fmt.Errorf("this is line %d of the chain, and the one before it is %d", k.Seq, v.Last)
	case prev != "" && k.Prev != prev:
		return errBefore
	}
	v.Last, v.Head = k.Seq, hex.EncodeToString(at.hash[:])
	return nil
}
