package rego

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// keep writes all files of a policy into a zip archive, or leaves the one that
// is there.
func (s *source) keep(path string) error {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, files := range []map[string][]byte{s.rules, s.tests, s.data} {
		for _, name := range slices.Sorted(maps.Keys(files)) {
			f, err := w.Create(name)
			if err != nil {
				return err
			}
			if _, err := f.Write(files[name]); err != nil {
				return err
			}
		}
	}
	if err := w.Close(); err != nil {
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
	_, err = temporary.Write(b.Bytes())
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
