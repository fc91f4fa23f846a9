package dialect

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/attache-gateway/attache/extproc/llm"
)

// maxToolName is the longest name of a tool that all providers take.
const maxToolName = 64

// SafeName makes a tool's name one that every provider takes: letters, digits, _
// and -, a letter or _ first, at most 64. Others, as MCP servers have them, get
// a hash, so that two of them stay two.
func SafeName(name string) string {
	clean := strings.Map(func(r rune) rune {
		if notInName(r) {
			return '_'
		}
		return r
	}, name)
	if clean != "" && !beginsName(rune(clean[0])) {
		clean = "_" + clean
	}
	if clean == name && len(name) <= maxToolName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	hash := "_" + hex.EncodeToString(sum[:4])
	return clean[:min(len(clean), maxToolName-len(hash))] + hash
}

func notInName(r rune) bool { return !beginsName(r) && !('0' <= r && r <= '9' || r == '-') }

func beginsName(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '_' }

// PlainName reports whether a name is letters, digits, _ and -, at most so many.
func PlainName(name string, most int) bool {
	return len(name) <= most && strings.IndexFunc(name, notInName) < 0
}

// Renamed is a request whose tools have names that a provider takes; takes says
// of a name whether it does. It is the request itself where nothing changes.
func Renamed(r *llm.Request, takes func(name string) bool) *llm.Request {
	safe := func(name string) string {
		if name == "" || takes(name) {
			return name
		}
		return SafeName(name)
	}
	changed := *r
	is := false
	note := func(name string) string {
		is = is || safe(name) != name
		return safe(name)
	}
	changed.ToolChoice.Name = note(r.ToolChoice.Name)
	changed.Tools = slices.Clone(r.Tools)
	for i := range changed.Tools {
		if changed.Tools[i].Type == "" {
			changed.Tools[i].Name = note(r.Tools[i].Name)
		}
	}
	for i := range r.Messages {
		for j := range r.Messages[i].Parts {
			note(r.Messages[i].Parts[j].Name)
		}
	}
	if !is {
		return r
	}
	changed.ToolChoice.Allowed = slices.Clone(r.ToolChoice.Allowed)
	for i, name := range changed.ToolChoice.Allowed {
		changed.ToolChoice.Allowed[i] = safe(name)
	}
	changed.Messages = slices.Clone(r.Messages)
	for i := range changed.Messages {
		parts := slices.Clone(changed.Messages[i].Parts)
		for j := range parts {
			parts[j].Name = safe(parts[j].Name)
		}
		changed.Messages[i].Parts = parts
	}
	return &changed
}

// Restored is an encoder whose client reads the names that it has given to its
// tools, where SafeName had to change them for the provider.
func Restored(r *llm.Request, enc Encoder) Encoder {
	var names map[string]string
	for i := range r.Tools {
		name := r.Tools[i].Name
		if safe := SafeName(name); safe != name {
			if names == nil {
				names = map[string]string{}
			}
			names[safe] = name
		}
	}
	if names == nil {
		return enc
	}
	return &restoring{enc, names}
}

type restoring struct {
	Encoder
	names map[string]string
}

// Encode puts the names into the events: whoever made these is done with them.
func (e *restoring) Encode(dst []byte, events []llm.Event) ([]byte, error) {
	for i := range events {
		if own, ok := e.names[events[i].Name]; ok && events[i].Kind == llm.EventToolStart {
			events[i].Name = own
		}
	}
	return e.Encoder.Encode(dst, events)
}

// Warnings names what was left out.
func (e *restoring) Warnings() []string {
	if r, ok := e.Encoder.(Reporter); ok {
		return r.Warnings()
	}
	return nil
}
