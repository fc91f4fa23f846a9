package dialect

import (
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/llm"
)

// Names that a provider would refuse become ones that all take, two of them
// stay two (E9).
func TestSafeName(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{
		"look", "look_up-2", "_x", strings.Repeat("a", 64), strings.Repeat("a", 65), strings.Repeat("a", 66),
		"mcp.server:tool", "mcp/server:tool", "2nd", "wörk", "a b", "a.b", "-x",
	} {
		safe := SafeName(name)
		ok := PlainName(name, 64) && beginsName(rune(name[0]))
		if ok != (safe == name) || !PlainName(safe, 64) || !beginsName(rune(safe[0])) {
			t.Errorf("%s became %s", name, safe)
		}
		if seen[safe] != "" {
			t.Errorf("%s and %s are both %s", name, seen[safe], safe)
		}
		if seen[safe] = name; SafeName(safe) != safe {
			t.Errorf("%s changes again", safe)
		}
	}
}

func TestRenamed(t *testing.T) {
	takes := func(name string) bool { return PlainName(name, 64) }
	r := &llm.Request{
		Tools:      []llm.Tool{{Name: "a.b"}, {Name: "c"}, {Type: "x", Name: "d.e"}},
		ToolChoice: llm.ToolChoice{Name: "a.b", Allowed: []string{"c", "a.b"}},
		Messages:   []llm.Message{{Parts: []llm.Part{{}, {Kind: llm.PartToolCall, Name: "a.b"}}}},
	}
	safe := SafeName("a.b")
	got := Renamed(r, takes)
	if got.Tools[0].Name != safe || got.Tools[1].Name != "c" || got.Tools[2].Name != "d.e" || got.ToolChoice.Name != safe ||
		got.ToolChoice.Allowed[1] != safe || got.Messages[0].Parts[1].Name != safe {
		t.Errorf("got %+v", got)
	}
	if r.Tools[0].Name != "a.b" || r.ToolChoice.Allowed[1] != "a.b" || r.Messages[0].Parts[1].Name != "a.b" {
		t.Error("the client's request has changed")
	}
	plain := &llm.Request{Tools: r.Tools[1:], Messages: []llm.Message{{Parts: []llm.Part{{Name: "c"}}}}}
	if Renamed(plain, takes) != plain {
		t.Error("a request without such names was copied")
	}
}

type heard struct{ got []string }

func (*heard) MediaType() string { return "" }
func (n *heard) Encode(dst []byte, events []llm.Event) ([]byte, error) {
	for _, e := range events {
		n.got = append(n.got, e.Name)
	}
	return dst, nil
}

func TestRestored(t *testing.T) {
	r := &llm.Request{Tools: []llm.Tool{{Name: "a.b"}, {Name: "plain"}}}
	enc := &heard{}
	if _, err := Restored(r, enc).Encode(nil, []llm.Event{
		{Kind: llm.EventToolStart, Name: SafeName("a.b")}, {Kind: llm.EventToolStart, Name: "plain"},
		{Kind: llm.EventToolStart, Name: "other"}, {Kind: llm.EventOther, Name: SafeName("a.b")},
	}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(enc.got, " "); got != "a.b plain other "+SafeName("a.b") {
		t.Errorf("got %s", got)
	}
	if Restored(&llm.Request{Tools: r.Tools[1:]}, enc) != Encoder(enc) {
		t.Error("an encoder without such names was wrapped")
	}
}
