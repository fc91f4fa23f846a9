package rego

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/util"
	"go.yaml.in/yaml/v3"

	"github.com/attache-gateway/attache/policies"
)

// maxSource bounds all files of a policy together, in bytes.
const maxSource = 32 << 20

// A source is the contents of a policy's directory, by path.
type source struct {
	rules, tests, data map[string][]byte
	size               int64
	warnings           []string
}

func readSource(fsys fs.FS) (*source, error) {
	s := &source{rules: map[string][]byte{}, tests: map[string][]byte{}, data: map[string][]byte{}}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case hidden(name) && d.IsDir():
			return fs.SkipDir
		case hidden(name):
			return nil
		case d.IsDir() && slices.Contains(unread, name):
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		return s.read(fsys, name)
	})
	return s, err
}

// unread are folders of the shipped policies that are no rules in force.
var unread = []string{"cookbook", "schema"}

// hidden leaves out what a Kubernetes volume keeps under ..data: the same files
// once more.
func hidden(name string) bool { return name != "." && strings.HasPrefix(path.Base(name), ".") }

func (s *source) read(fsys fs.FS, name string) error {
	info, err := fs.Stat(fsys, name) // of the file that a link leads to
	if err != nil {
		return err
	}
	if info.IsDir() {
		return fmt.Errorf("%s: links to folders are not followed", name)
	}
	to := s.kind(name)
	if to == nil {
		return nil
	}
	if shipped(name) { // the program has these rules built in
		if !s.unchanged(fsys, name, info.Size()) {
			s.warnings = append(s.warnings, name+": left out; what is in attache is built into the program")
		}
		return nil
	}
	f, err := fsys.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSource-s.size+1))
	if err != nil {
		return err
	}
	if s.size += int64(len(b)); s.size > maxSource {
		return fmt.Errorf("%s: more than %d bytes of rules and data", name, maxSource)
	}
	to[name] = b
	return nil
}

// unchanged reports whether a file is as the program has it.
func (s *source) unchanged(fsys fs.FS, name string, size int64) bool {
	own, err := policies.Shipped.ReadFile(name)
	if err != nil || size != int64(len(own)) {
		return false
	}
	have, err := fs.ReadFile(fsys, name)
	return err == nil && bytes.Equal(own, have)
}

// kind says where a file belongs, nil: nowhere.
func (s *source) kind(name string) map[string][]byte {
	switch ext := path.Ext(name); {
	case strings.HasSuffix(name, "_test.rego"):
		return s.tests
	case ext == ".rego":
		return s.rules
	case strings.HasPrefix(name, "data/") && (ext == ".json" || ext == ".yaml" || ext == ".yml"):
		return s.data
	}
	return nil
}

// document returns the data document: the members of all data files, under
// data.attache.config.
func (s *source) document(ps *problems) map[string]any {
	config := map[string]any{}
	from := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.data)) {
		members, line, err := readData(name, s.data[name])
		if err != nil {
			*ps = append(*ps, problem{name, line, err})
		}
		for _, k := range slices.Sorted(maps.Keys(members)) {
			if other, ok := from[k]; ok {
				ps.found(name, fmt.Errorf("%q is also in %s", k, other))
			}
			from[k], config[k] = name, members[k]
		}
	}
	return map[string]any{"attache": map[string]any{"config": config}}
}

// readData reads a data file: an object in JSON or YAML. The line is that of an
// error, 0 if it is not known.
func readData(name string, b []byte) (m map[string]any, line int, err error) {
	check, unmarshal := checkYAML, util.Unmarshal
	if path.Ext(name) == ".json" {
		check, unmarshal = checkJSON, util.UnmarshalJSON
	}
	if line, err := check(b); err != nil {
		return nil, line, err
	}
	var v any
	if err := unmarshal(b, &v); err != nil {
		return nil, 0, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, 0, errors.New("want an object")
	}
	return m, 0, nil
}

// yamlLine finds the line in an error of the YAML parser.
var yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)`)

// checkYAML finds what OPA's reader does not place, or lets pass, as checkJSON does.
func checkYAML(b []byte) (line int, err error) {
	if err = yaml.Unmarshal(b, new(any)); err == nil {
		return 0, nil
	}
	text := err.Error()
	var of *yaml.TypeError
	if errors.As(err, &of) && len(of.Errors) > 0 {
		text = of.Errors[0]
	}
	m := yamlLine.FindStringSubmatch(text)
	if m == nil {
		return 0, err
	}
	line, _ = strconv.Atoi(m[1])
	if strings.HasPrefix(m[2], "did not find expected") { // the parser counts these from 0
		line = min(line+1, 1+bytes.Count(b, []byte("\n")))
	}
	return line, errors.New(m[2])
}

// checkJSON finds what OPA's reader does not place, or lets pass: syntax errors,
// and members that an object has twice.
func checkJSON(b []byte) (line int, err error) {
	at := func(offset int64) int { return 1 + bytes.Count(b[:offset], []byte("\n")) }
	var syntax *json.SyntaxError
	if errors.As(json.Unmarshal(b, new(any)), &syntax) {
		return at(syntax.Offset), syntax
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if err := distinct(d); err != nil {
		return at(d.InputOffset()), err
	}
	return 0, nil
}

// distinct reads a value of JSON that is known to be well-formed, and not too deep.
func distinct(d *json.Decoder) error {
	t, err := d.Token()
	open, ok := t.(json.Delim)
	if err != nil || !ok {
		return err
	}
	seen := map[json.Token]bool{}
	for d.More() {
		if open == '{' {
			name, err := d.Token()
			if err != nil {
				return err
			}
			if seen[name] {
				return fmt.Errorf("%q is there twice", name)
			}
			seen[name] = true
		}
		if err := distinct(d); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// revision is the first 48 bits of a SHA-256 over all that decides.
func (s *source) revision(o *Options, shipped map[string][]byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "default %s\n", o.Default)
	for _, files := range []map[string][]byte{s.rules, s.data, shipped} {
		for _, name := range slices.Sorted(maps.Keys(files)) {
			fmt.Fprintf(h, "%q %d\n", name, len(files[name]))
			h.Write(files[name])
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}
