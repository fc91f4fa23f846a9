package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A reader walks the nodes of a file. Whatever is wrong becomes a Problem, and
// the walk goes on.
type reader struct {
	file     string
	env      func(string) (string, bool)
	lines    map[string]int // of the fields that are there, by path
	problems []Problem
}

// A value is a node with its path.
type value struct {
	node *yaml.Node
	path string
}

// A field reads one value.
type field func(value)

func (r *reader) problem(path, format string, args ...any) {
	r.problems = append(r.problems, Problem{r.file, r.line(path), path, fmt.Sprintf(format, args...)})
}

// line returns the line of a field, or of the nearest one around it.
func (r *reader) line(path string) int {
	for path != "" {
		if n, ok := r.lines[path]; ok {
			return n
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 0
}

// has reports whether a field is in the file.
func (r *reader) has(path string) bool { _, ok := r.lines[path]; return ok }

// wrong reports whether a field has a problem already.
func (r *reader) wrong(path string) bool {
	return slices.ContainsFunc(r.problems, func(p Problem) bool { return p.Path == path })
}

// missing reports a field that has to be there, unless the mapping that it
// should stand in could not be read.
func (r *reader) missing(path, format string, args ...any) {
	if !r.has(path) && !r.wrong(path[:max(strings.LastIndexByte(path, '.'), 0)]) {
		r.problem(path, format, args...)
	}
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

// parse returns the root of the file, or nil if there is none to read.
func (r *reader) parse(data []byte) *yaml.Node {
	if len(data) > maxFile {
		r.problem("", "the file is larger than %d bytes", maxFile)
		return nil
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	err := d.Decode(&doc)
	if errors.Is(err, io.EOF) {
		r.problem("", "the file is empty")
		return nil
	}
	if err == nil {
		if !errors.Is(d.Decode(new(yaml.Node)), io.EOF) {
			r.problem("", "the file has more than one document")
		}
		return doc.Content[0]
	}
	r.problems = append(r.problems, syntax(r.file, data, err))
	return nil
}

// syntax is the problem that the YAML parser found.
func syntax(file string, data []byte, err error) Problem {
	m := yamlLine.FindStringSubmatch(err.Error())
	if m == nil {
		return Problem{File: file, Message: "not valid YAML: " + err.Error()}
	}
	p := Problem{File: file, Message: "not valid YAML: " + m[2]}
	p.Line, _ = strconv.Atoi(m[1])
	if strings.HasPrefix(m[2], "did not find expected") {
		p.Line = min(p.Line+1, 1+bytes.Count(data, []byte("\n"))) // the parser counts these from 0
	}
	if strings.Contains(lineOf(data, p.Line), "${") {
		p.Message += `; a value with ${NAME} needs quotes: "${NAME}"`
	}
	return p
}

func lineOf(data []byte, n int) string {
	lines := strings.Split(string(data), "\n")
	if n < 1 || n > len(lines) {
		return ""
	}
	return lines[n-1]
}

// each calls f for every member of a mapping, in order, without duplicates.
func (r *reader) each(v value, f func(name string, v value)) {
	if !r.is(v, yaml.MappingNode) {
		return
	}
	first := map[string]int{}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key, val := v.node.Content[i], v.node.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Value == "" || key.ShortTag() == "!!merge" {
			r.problems = append(r.problems, Problem{r.file, key.Line, v.path, "a name must be plain text"})
			continue
		}
		path := join(v.path, key.Value)
		if line, ok := first[key.Value]; ok {
			r.problems = append(r.problems, Problem{r.file, key.Line, path, fmt.Sprintf("is there twice, first on line %d", line)})
			continue
		}
		first[key.Value] = key.Line
		r.lines[path] = key.Line
		f(key.Value, value{val, path})
	}
}

// join returns the path of a member. A name that could be read as a path is
// quoted: models["gpt-4.1"].
func join(path, name string) string {
	switch {
	case strings.ContainsAny(name, `.[]"`):
		return fmt.Sprintf("%s[%q]", path, name)
	case path == "":
		return name
	}
	return path + "." + name
}

// object reads a mapping with the given fields. One that is nil is known, but
// not supported yet.
func (r *reader) object(v value, fields map[string]field) {
	r.each(v, func(name string, v value) {
		read, ok := fields[name]
		switch {
		case !ok:
			r.problem(v.path, "unknown field; the fields here are %s", strings.Join(supported(fields), ", "))
		case read == nil:
			r.problem(v.path, unsupported)
		default:
			read(v)
		}
	})
}

const unsupported = "not supported yet"

func supported(fields map[string]field) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(fields)), func(name string) bool { return fields[name] == nil })
}

// list reads every item of a list.
func (r *reader) list(item field) field {
	return func(v value) {
		if !r.is(v, yaml.SequenceNode) {
			return
		}
		for i, n := range v.node.Content {
			path := fmt.Sprintf("%s[%d]", v.path, i)
			r.lines[path] = n.Line
			item(value{n, path})
		}
	}
}

// wanted says what a node of a kind looks like.
var wanted = map[yaml.Kind]string{
	yaml.MappingNode:  "must have fields, as in {name: value}",
	yaml.SequenceNode: "must be a list, as in [a, b]",
	yaml.ScalarNode:   "must be a single value",
}

// is reports whether a value is of a kind; if not, that is a problem.
func (r *reader) is(v value, kind yaml.Kind) bool {
	switch {
	case v.node.Kind == yaml.AliasNode:
		r.problem(v.path, "YAML aliases are not supported")
	case v.node.ShortTag() == "!!null":
		r.problem(v.path, "has no value")
	case v.node.Kind != kind:
		r.problem(v.path, "%s", wanted[kind])
	default:
		return true
	}
	return false
}

// text returns a scalar with its variables filled in.
func (r *reader) text(v value) (string, bool) {
	if !r.is(v, yaml.ScalarNode) {
		return "", false
	}
	s, err := expand(v.node.Value, r.env)
	if err != nil {
		r.problem(v.path, "%v", err)
		return "", false
	}
	return s, true
}

// parsed reads a scalar with a function whose error says what is wanted. It
// must not repeat the value.
func parsed[T any](r *reader, to *T, parse func(string) (T, error)) field {
	return func(v value) {
		s, ok := r.text(v)
		if !ok {
			return
		}
		x, err := parse(s)
		if err != nil {
			r.problem(v.path, "%v", err)
			return
		}
		*to = x
	}
}

func (r *reader) string(to *string) field {
	return parsed(r, to, func(s string) (string, error) {
		if s == "" {
			return "", errors.New("is empty")
		}
		return s, nil
	})
}

func (r *reader) strings(to *[]string) field {
	return r.list(func(v value) {
		var s string
		r.string(&s)(v)
		*to = append(*to, s)
	})
}

func (r *reader) secret(to *gateway.Secret) field { return parsed(r, to, parseSecret) }

func (r *reader) choice(to *string, options ...string) field {
	return parsed(r, to, func(s string) (string, error) {
		if !slices.Contains(options, s) {
			return "", fmt.Errorf("must be %s", strings.Join(options, " or "))
		}
		return s, nil
	})
}

func (r *reader) integer(to *int, low, high int) field {
	return parsed(r, to, func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < low || n > high {
			return 0, fmt.Errorf("must be a number from %d to %d", low, high)
		}
		return n, nil
	})
}

func (r *reader) duration(to *time.Duration, low, high time.Duration) field {
	return parsed(r, to, func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		switch {
		case err != nil:
			return 0, errors.New("must be a duration with its unit, such as 500ms, 5s or 2m")
		case d < low || d > high:
			return 0, fmt.Errorf("must be from %s to %s", formatDuration(low), formatDuration(high))
		}
		return d, nil
	})
}

func (r *reader) size(to *int64, low, high int64) field {
	return parsed(r, to, func(s string) (int64, error) {
		n, err := parseSize(s)
		if err == nil && (n < low || n > high) {
			err = fmt.Errorf("must be from %s to %s", formatSize(low), formatSize(high))
		}
		return n, err
	})
}
