package dialect

import (
	"strings"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A Crossing says what becomes of a member of a request that has no canonical
// field, where the target speaks another dialect.
type Crossing struct {
	As     string // the target's member that means the same and takes the same values
	Refuse bool   // otherwise the client is warned
	Reason string // why it was left out, or what to do instead
	Idle   string // a value that asks for nothing, as JSON
	Own    bool   // the client's dialect does it by itself, whoever answers
}

// Crossings are the members of one dialect, by their paths without indexes.
type Crossings map[string]Crossing

// CheckExtra refuses, warns of or hands to copy all members of a request that
// have no canonical field. own says by client's dialect where the target knows
// better than the table of members; copy may be nil if it copies nothing.
func (n *Notes) CheckExtra(own map[string]Crossings, copy func(as string, value []byte)) error {
	r := n.Request
	for _, m := range r.Extra {
		value := []byte(m.Text)
		if m.Text == "" {
			value = r.Body.Raw[m.Value.Start:m.Value.End]
		}
		c, known := crossingOf(own, r.Dialect, everyIndex(m.Name))
		switch {
		case string(value) == "null", c.Own, c.Idle != "" && c.Idle == string(value):
		case c.As != "":
			copy(c.As, value)
		case c.Refuse:
			return llm.Unsupported(m.Name, "%s", n.named(c.Reason))
		case known:
			n.warn(m.Name, "left out: "+n.named(c.Reason))
		default:
			n.warn(m.Name, "left out: "+n.API+" does not know it")
		}
	}
	return nil
}

// named puts the receiver's name in a reason that holds for any.
func (n *Notes) named(reason string) string { return strings.ReplaceAll(reason, "the target", n.API) }

// crossingOf finds what is said of a member. One of an object about which a
// warning is enough shares that.
func crossingOf(own map[string]Crossings, client, path string) (Crossing, bool) {
	for at := path; at != ""; at = parent(at) {
		for _, table := range []Crossings{own[client], members[client]} {
			if c, ok := table[at]; ok && (at == path || !c.Refuse && c.As == "") {
				return c, true
			}
		}
	}
	return Crossing{}, false
}

// parent is the path of the object that holds a member, empty for those of the
// request itself. A list is not told from its elements.
func parent(path string) string {
	for i := len(path) - 1; i > 0; i-- {
		switch path[i] {
		case '.':
			return path[:i]
		case ']':
			if path[i-1] == '[' && i == len(path)-1 {
				return path[:i-1]
			}
		}
	}
	return ""
}

// everyIndex makes messages[] of messages[3].
func everyIndex(path string) string {
	out, inside := make([]byte, 0, len(path)), false
	for i := range len(path) {
		c := path[i]
		if inside = c != ']' && (inside || c == '['); !inside || c == '[' {
			out = append(out, c)
		}
	}
	return string(out)
}
