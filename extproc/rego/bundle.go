package rego

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
)

// Names of files in bundles that are not rules. (OPA, Bundles, file format.)
const (
	manifestFile   = ".manifest"
	signaturesFile = ".signatures.json"
	patchFile      = "patch.json"
)

// maxFiles bounds the files of a bundle.
const maxFiles = 10_000

// OpenBundles reads bundles, by their names for errors, as one file system for
// Options.FS. A bundle is a compressed archive as opa build makes it, or of a
// folder of rules as it is. With a key each must be signed by it.
func OpenBundles(archives map[string][]byte, key *BundleKey) (fs.FS, error) {
	all := &bundles{files: map[string][]byte{}, from: map[string]string{}, data: map[string]any{}, owner: map[string]string{}}
	for _, name := range slices.Sorted(maps.Keys(archives)) {
		b, err := readBundle(archives[name], key)
		if err == nil {
			err = all.add(name, b)
		}
		if err != nil {
			return nil, fmt.Errorf("rego: bundle %s: %w", name, err)
		}
	}
	if len(all.data) > 0 {
		b, err := json.Marshal(all.data)
		if err != nil {
			return nil, fmt.Errorf("rego: %w", err)
		}
		all.files[bundledData] = b
	}
	return frozen(all.files)
}

// bundledData is where the data of bundles stand among the files of a policy.
const bundledData = "data/bundle.json"

// A bundled is a bundle that is what it should be.
type bundled struct {
	files map[string][]byte // rules, tests and data files, by path
	data  map[string]any    // below data.attache.config
	roots []string
}

// readBundle unpacks a bundle and checks its signature, kind and roots.
func readBundle(archive []byte, key *BundleKey) (*bundled, error) {
	files, err := unpack(archive)
	if err != nil {
		return nil, err
	}
	if key != nil {
		if err := key.verify(files); err != nil {
			return nil, err
		}
	}
	b := &bundled{files: map[string][]byte{}, data: map[string]any{}}
	if b.roots, err = readManifest(files[manifestFile]); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := b.add(name, files[name]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return b, nil
}

func (b *bundled) add(name string, text []byte) error {
	switch base := path.Base(name); {
	case base == patchFile:
		return errors.New("delta bundles are not taken")
	case base == manifestFile && name != manifestFile:
		return errors.New("the manifest must stand at the top")
	case !strings.HasPrefix(name, "data/") && (base == "data.json" || base == "data.yaml" || base == "data.yml"):
		return b.addData(name, text)
	case strings.HasSuffix(name, ".rego"):
		if err := b.owns(name, text); err != nil {
			return err
		}
	}
	b.files[name] = text
	return nil
}

// addData adds a data document, which stands at its folder's place.
func (b *bundled) addData(name string, text []byte) error {
	document, line, err := readData(name, text)
	if line > 0 {
		return fmt.Errorf("line %d: %w", line, err)
	}
	if err != nil {
		return err
	}
	folders := strings.Split(path.Dir(name), "/")
	if path.Dir(name) == "." {
		folders = nil
	}
	for _, folder := range slices.Backward(folders) {
		document = map[string]any{folder: document}
	}
	for _, want := range []string{"attache", "config"} {
		for k := range document {
			if k != want {
				return fmt.Errorf("data.%s: the data of a policy is data.attache.config", k)
			}
		}
		inner, ok := document[want].(map[string]any)
		if !ok && document[want] != nil {
			return fmt.Errorf("data.%s: want an object", want)
		}
		document = inner
	}
	for _, k := range slices.Sorted(maps.Keys(document)) {
		if _, ok := b.data[k]; ok {
			return fmt.Errorf("data.attache.config.%s is there twice", k)
		}
		if !bundle.RootPathsContain(b.roots, "attache/config/"+k) {
			return fmt.Errorf("data.attache.config.%s lies outside the roots of the bundle", k)
		}
		b.data[k] = document[k]
	}
	return nil
}

// owns checks that a module lies within the roots. One that cannot be read is
// reported when it is loaded.
func (b *bundled) owns(name string, text []byte) error {
	if slices.Contains(b.roots, "") || strings.HasSuffix(name, "_test.rego") {
		return nil
	}
	m, err := ast.ParseModuleWithOpts(name, string(text), ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil || m == nil {
		return nil
	}
	names := make([]string, 0, len(m.Package.Path))
	for _, t := range m.Package.Path[1:] {
		if s, ok := t.Value.(ast.String); ok {
			names = append(names, string(s))
		}
	}
	if !bundle.RootPathsContain(b.roots, strings.Join(names, "/")) {
		return fmt.Errorf("package %s lies outside the roots of the bundle", strings.Join(names, "."))
	}
	return nil
}

// shippedRoot is what the program has built in.
const shippedRoot = "attache/lib"

// readManifest returns the roots that a manifest names; without one a bundle
// owns everything, which is all that it has.
func readManifest(text []byte) ([]string, error) {
	var m bundle.Manifest
	if text != nil {
		if err := json.Unmarshal(text, &m); err != nil {
			return nil, fmt.Errorf("%s: %w", manifestFile, err)
		}
	}
	m.Init()
	roots := slices.Clone(*m.Roots)
	for i := range roots {
		roots[i] = strings.Trim(roots[i], "/")
		if roots[i] != "" && bundle.RootPathsOverlap(roots[i], shippedRoot) {
			return nil, fmt.Errorf("%s: the root %q overlaps %s, which the program has built in", manifestFile, roots[i], shippedRoot)
		}
	}
	return roots, nil
}

// bundles are several bundles that make one policy.
type bundles struct {
	files map[string][]byte
	from  map[string]string // files by the bundle that they are of
	data  map[string]any
	owner map[string]string // of roots
}

func (all *bundles) add(name string, b *bundled) error {
	for _, root := range b.roots {
		for other, owner := range all.owner {
			if owner != name && bundle.RootPathsOverlap(root, other) {
				return fmt.Errorf("its root %q overlaps %q of bundle %s", root, other, owner)
			}
		}
		all.owner[root] = name
	}
	for path, text := range b.files {
		if path == manifestFile || path == signaturesFile {
			continue
		}
		if other, ok := all.from[path]; ok {
			return fmt.Errorf("%s is in bundle %s as well", path, other)
		}
		all.files[path], all.from[path] = text, name
	}
	maps.Copy(all.data, b.data) // roots keep them apart
	return nil
}

// unpack reads an archive. It refuses what can be read in two ways.
func unpack(archive []byte) (map[string][]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, fmt.Errorf("not a compressed archive: %w", err)
	}
	left := int64(maxSource)
	files := map[string][]byte{}
	for r := tar.NewReader(io.LimitReader(z, 2*maxSource)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("archive: %w", err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		name := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
		if _, ok := files[name]; ok || name == "" {
			return nil, fmt.Errorf("archive: %s is there twice", name)
		}
		if len(files) == maxFiles {
			return nil, fmt.Errorf("archive: more than %d files", maxFiles)
		}
		b, err := io.ReadAll(io.LimitReader(r, left+1))
		if err != nil {
			return nil, fmt.Errorf("archive: %s: %w", name, err)
		}
		if left -= int64(len(b)); left < 0 {
			return nil, fmt.Errorf("archive: more than %d bytes of files", maxSource)
		}
		files[name] = b
	}
}
