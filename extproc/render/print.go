package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// printYAML turns JSON into YAML in the style of Envoy's documentation: blocks outside, short maps and lists on one line.
// Order is kept. It is here, rather than a YAML library, because a library prints either all blocks or all on one line.
func printYAML(text []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	root, err := parse(d)
	if err != nil {
		return nil, fmt.Errorf("render: print: %w", err)
	}
	var out strings.Builder
	root.block(&out, 0)
	return []byte(out.String()), nil
}

// lineWidth is how long a map or list on one line may get; indentation does not count, or what is nested deeply would
// become all blocks.
const lineWidth = 160

// node is a JSON value: a scalar in its YAML form, or entries. A list's entries have no keys.
type node struct {
	scalar string
	open   string // "{" or "[", empty for a scalar
	keys   []string
	values []*node
}

func parse(d *json.Decoder) (*node, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := t.(json.Delim)
	if !ok {
		return &node{scalar: scalar(t)}, nil
	}
	n := &node{open: delim.String()}
	for d.More() {
		if n.open == "{" {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			n.keys = append(n.keys, scalar(key))
		}
		v, err := parse(d)
		if err != nil {
			return nil, err
		}
		n.values = append(n.values, v)
	}
	_, err = d.Token()
	return n, err
}

// plain matches strings, durations among them, that YAML reads as strings without quotes, also inside braces, unless they
// are one of yamlWords.
var plain = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./-]*$|^[0-9.]+s$`)

var yamlWords = map[string]bool{"true": true, "false": true, "yes": true, "no": true, "on": true, "off": true, "null": true, "y": true, "n": true}

func scalar(t json.Token) string {
	s, ok := t.(string)
	if !ok {
		if t == nil {
			return "null"
		}
		return fmt.Sprint(t)
	}
	if plain.MatchString(s) && !yamlWords[strings.ToLower(s)] {
		return s
	}
	var quoted bytes.Buffer // a JSON string is a YAML string
	e := json.NewEncoder(&quoted)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return strings.TrimSpace(quoted.String())
}

// inline is n on one line.
func (n *node) inline() string {
	if n.open == "" {
		return n.scalar
	}
	parts := make([]string, len(n.values))
	for i, v := range n.values {
		parts[i] = v.inline()
		if n.keys != nil {
			parts[i] = n.keys[i] + ": " + parts[i]
		}
	}
	if n.open == "[" {
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// block prints n's entries one to a line; the caller has indented the first.
func (n *node) block(out *strings.Builder, indent int) {
	for i, v := range n.values {
		if i > 0 {
			out.WriteString(strings.Repeat(" ", indent))
		}
		lead := "-"
		if n.keys != nil {
			lead = n.keys[i] + ":"
		}
		out.WriteString(lead)
		v.after(out, indent, n.open == "[")
	}
}

// after prints n behind a key or a dash: on the same line when it is short, else as a block.
func (n *node) after(out *strings.Builder, indent int, dash bool) {
	one := n.inline()
	if n.open == "" || len(n.values) == 0 || (indent > 0 && len(one) <= lineWidth) {
		out.WriteString(" " + one + "\n")
		return
	}
	switch {
	case dash:
		out.WriteString(" ")
		indent += 2
	case n.open == "[":
		out.WriteString("\n" + strings.Repeat(" ", indent))
	default:
		indent += 2
		out.WriteString("\n" + strings.Repeat(" ", indent))
	}
	n.block(out, indent)
}
