package telemetry

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// masked stands in place of what is masked.
const masked = "***"

// erase takes what pointers name out of the input.
func (e *Event) erase(pointers []string) {
	var done []string
	e.Input, done = edit(e.Input, pointers, func(parent map[string]any, name string) { delete(parent, name) }, nil)
	for _, p := range done {
		e.Erased = append(e.Erased, "/input"+p)
	}
}

// mask replaces what pointers name in the input and in the result.
func (e *Event) mask(pointers []string) {
	for _, part := range [...]struct {
		at   string
		text *json.RawMessage
	}{{"/input", &e.Input}, {"/result", &e.Result}} {
		var below, done []string
		for _, p := range pointers {
			if rest, ok := strings.CutPrefix(p, part.at); ok && (rest == "" || rest[0] == '/') {
				below = append(below, rest)
			}
		}
		*part.text, done = edit(*part.text, below, func(parent map[string]any, name string) { parent[name] = masked }, masked)
		for _, p := range done {
			e.Masked = append(e.Masked, part.at+p)
		}
	}
}

// Masked is a document with the members input and result, as an event has them, with
// what is masked replaced; nil if it cannot be read.
func (f *Filter) Masked(document json.RawMessage) json.RawMessage {
	document, _ = edit(document, f.Mask, func(parent map[string]any, name string) { parent[name] = masked }, masked)
	return document
}

// edit changes the members of a document that JSON pointers (RFC 6901) name. It
// returns the document and the pointers that named something. An element of an
// array, and the whole, is replaced. What cannot be read is left out as a whole.
func edit(text json.RawMessage, pointers []string, change func(parent map[string]any, name string), replacement any) (json.RawMessage, []string) {
	if text == nil || len(pointers) == 0 {
		return text, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var root any
	if err := d.Decode(&root); err != nil {
		return nil, []string{""}
	}
	var done []string
	for _, p := range pointers {
		switch {
		case p == "":
			root = replacement
		case p[0] != '/' || !editOne(root, strings.Split(p[1:], "/"), change, replacement):
			continue
		}
		done = append(done, p)
	}
	if len(done) == 0 {
		return text, nil
	}
	out, err := json.Marshal(root)
	if err != nil {
		return nil, []string{""}
	}
	return out, done
}

var unescape = strings.NewReplacer("~1", "/", "~0", "~")

func editOne(at any, path []string, change func(map[string]any, string), replacement any) bool {
	for i, part := range path {
		last, name := i == len(path)-1, unescape.Replace(part)
		switch parent := at.(type) {
		case map[string]any:
			next, ok := parent[name]
			if !ok {
				return false
			}
			if last {
				change(parent, name)
			}
			at = next
		case []any:
			n, err := strconv.Atoi(name)
			if err != nil || n < 0 || n >= len(parent) {
				return false
			}
			if last {
				parent[n] = replacement
			}
			at = parent[n]
		default:
			return false
		}
	}
	return true
}
