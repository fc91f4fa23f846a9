package rego

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// zipped returns files as a zip archive.
func zipped(files map[string][]byte) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := w.Create(name)
		if err != nil {
			return nil, err
		}
		if _, err := f.Write(files[name]); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

// files are all that a policy is made of.
func (s *source) files() map[string][]byte {
	all := maps.Clone(s.rules)
	maps.Copy(all, s.tests)
	maps.Copy(all, s.data)
	return all
}

// Freeze returns a file system with the files of a policy as they are now, for
// those who load the same once more.
func Freeze(fsys fs.FS) (fs.FS, error) {
	s, err := readSource(fsys)
	if err != nil {
		return nil, fmt.Errorf("rego: %w", err)
	}
	return frozen(s.files())
}

// frozen is a file system in memory.
func frozen(files map[string][]byte) (fs.FS, error) {
	b, err := zipped(files)
	if err != nil {
		return nil, fmt.Errorf("rego: %w", err)
	}
	return zip.NewReader(bytes.NewReader(b), int64(len(b)))
}

// keep writes all files of a policy into a zip archive, or leaves the one that
// is there.
func (s *source) keep(path string) error {
	b, err := zipped(s.files())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // not there any more if all went well
	_, err = temporary.Write(b)
	if err == nil {
		err = temporary.Sync()
	}
	if cerr := temporary.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}

// LoadLastGood loads the rules that an earlier Load kept in o.LastGood, instead
// of those of o.FS.
func LoadLastGood(ctx context.Context, o Options) (*Policy, error) {
	archive, err := zip.OpenReader(o.LastGood)
	if err != nil {
		return nil, fmt.Errorf("rego: last good: %w", err)
	}
	defer archive.Close()
	o.FS, o.LastGood = archive, ""
	return Load(ctx, o)
}
