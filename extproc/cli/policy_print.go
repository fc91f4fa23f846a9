package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// printExplanation prints an explanation for people.
func (p *Program) printExplanation(e *gateway.Explanation) error {
	fmt.Fprintf(p.Stdout, "%s, by policy %s%s\n", verdict(e), e.Policy, map[bool]string{true: ", from the cache"}[e.Cached])
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	title(w, "Rules that hold", len(e.Rules))
	for _, r := range e.Rules {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", r.Verb, named(r.Rule, r.Place), r.Head)
	}
	title(w, "Rules that do not, and their first condition that is false", len(e.Near))
	for _, n := range e.Near {
		fmt.Fprintf(w, "  %s\t%s\t%s%s\n", n.Verb, named(n.Rule, n.Place), because(&n.Cause), after(n.Held))
		for _, c := range n.Inside {
			fmt.Fprintf(w, "\t\t  in it %s\n", because(&c))
		}
	}
	if e.Others > 0 {
		fmt.Fprintf(w, "  and %d more\n", e.Others)
	}
	if err := printInput(w, e.Input); err != nil {
		return err
	}
	title(w, "Targets, in the order in which they are tried", len(e.Targets))
	for i, t := range e.Targets {
		fmt.Fprintf(w, "  %d\t%s\t%s\n", i+1, t.Target, standing(&t))
	}
	title(w, "Targets that are left out", len(e.LeftOut))
	for _, l := range e.LeftOut {
		fmt.Fprintf(w, "  %s\t%s\n", l.Target, l.Why)
	}
	return w.Flush()
}

func title(w io.Writer, text string, n int) {
	if n > 0 {
		fmt.Fprintf(w, "\n%s\n", text)
	}
}

// verdict is the decision in a few words.
func verdict(e *gateway.Explanation) string {
	d := e.Decision.Deny
	switch {
	case e.Error != "":
		return "No decision: " + e.Error
	case d != nil && d.Rule != "":
		return fmt.Sprintf("Denied with %d %s by %s", d.Status, d.Code, d.Rule)
	case d != nil:
		return fmt.Sprintf("Denied with %d %s", d.Status, d.Code)
	case e.Code != "":
		return "Allowed, but ended with " + e.Code
	}
	return "Allowed"
}

// named is a rule's id with its place, unless that is the id.
func named(id, place string) string {
	if id == place {
		return id
	}
	return id + " (" + place + ")"
}

// because is a condition that does not hold, with what it looked at.
func because(c *gateway.Cause) string {
	text := c.FalseAt + ": " + c.False
	for i, path := range slices.Sorted(maps.Keys(c.Values)) {
		text += map[bool]string{true: " (", false: ", "}[i == 0] + path + " is " + string(c.Values[path])
	}
	if len(c.Values) > 0 {
		text += ")"
	}
	return text
}

func after(held int) string {
	switch held {
	case 0:
		return ""
	case 1:
		return ", after one that holds"
	}
	return fmt.Sprintf(", after %d that hold", held)
}

// standing is what put a target into its place.
func standing(t *gateway.Ranked) string {
	parts := []string{t.State}
	if t.Small {
		parts = append(parts, "its context is too small")
	}
	if t.Share != 0 {
		parts = append(parts, fmt.Sprintf("split %.4g", float64(t.Share)))
	}
	if t.Prefer != 0 {
		parts = append(parts, fmt.Sprintf("preference %d", t.Prefer))
	}
	if t.Pick != 0 {
		parts = append(parts, fmt.Sprintf("pick %.6g", float64(t.Pick)))
	}
	return strings.Join(parts, ", ")
}

// printInput prints each field of an input on a line of its own.
func printInput(w io.Writer, input json.RawMessage) error {
	if input == nil {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(input))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return fmt.Errorf("input: %w", err)
	}
	title(w, "What they read", len(input))
	printFields(w, "", v)
	return nil
}

func printFields(w io.Writer, at string, v any) {
	if o, ok := v.(map[string]any); ok && (len(o) > 0 || at == "") {
		for _, name := range slices.Sorted(maps.Keys(o)) {
			printFields(w, strings.TrimPrefix(at+"."+name, "."), o[name])
		}
		return
	}
	text, err := json.Marshal(v)
	if err != nil { // it was JSON
		text = []byte("?")
	}
	fmt.Fprintf(w, "  %s\t%s\n", at, text)
}
