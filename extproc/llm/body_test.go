package llm

import (
	"encoding/json"
	"testing"
)

// body finds the members of a flat object without spaces inside its members.
func body(t *testing.T, raw string) *Body {
	t.Helper()
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(raw), &all); err != nil {
		t.Fatal(err)
	}
	b := &Body{Raw: []byte(raw)}
	for i := 0; i < len(raw); i++ {
		for name, value := range all {
			if text := `"` + name + `":` + string(value); len(raw)-i >= len(text) && raw[i:i+len(text)] == text {
				end := i + len(text)
				b.Members = append(b.Members, Member{Name: name, At: Span{i, end}, Value: Span{end - len(value), end}})
				i = end
				break
			}
		}
	}
	if len(b.Members) != len(all) {
		t.Fatalf("found %d of %d members", len(b.Members), len(all))
	}
	return b
}

func TestPatch(t *testing.T) {
	const raw = ` { "a":1 , "b":"two",  "c":[3] } `
	for _, tt := range []struct {
		name   string
		raw    string
		change func(*Patch)
		want   string
	}{
		{"nothing", raw, func(*Patch) {}, raw},
		{"set", raw, func(p *Patch) { p.Set("b", []byte(`2`)) }, ` { "a":1 , "b":2,  "c":[3] } `},
		{"set twice", raw, func(p *Patch) { p.Set("b", []byte(`2`)); p.Set("b", []byte(`3`)) }, ` { "a":1 , "b":3,  "c":[3] } `},
		{"add", raw, func(p *Patch) { p.Set("d", []byte(`4`)) }, ` { "a":1 , "b":"two",  "c":[3],"d":4 } `},
		{"add twice", raw, func(p *Patch) { p.Set("d", []byte(`4`)); p.Set("d", []byte(`5`)) }, ` { "a":1 , "b":"two",  "c":[3],"d":5 } `},
		{"add, then remove", raw, func(p *Patch) { p.Set("d", []byte(`4`)); p.Remove("d") }, raw},
		{"remove, then set", raw, func(p *Patch) { p.Remove("a"); p.Set("a", []byte(`9`)) }, ` { "a":9 , "b":"two",  "c":[3] } `},
		{"remove first", raw, func(p *Patch) { p.Remove("a") }, ` { "b":"two",  "c":[3] } `},
		{"remove middle", raw, func(p *Patch) { p.Remove("b") }, ` { "a":1,  "c":[3] } `},
		{"remove last", raw, func(p *Patch) { p.Remove("c") }, ` { "a":1 , "b":"two" } `},
		{"remove all", raw, func(p *Patch) { p.Remove("c"); p.Remove("a"); p.Remove("b") }, ` {  } `},
		{"replace all", raw, func(p *Patch) { p.Remove("a"); p.Remove("b"); p.Remove("c"); p.Set("x", []byte(`0`)) }, ` { "x":0 } `},
		{"remove what is not there", raw, func(p *Patch) { p.Remove("z") }, raw},
		{"add to nothing", `{}`, func(p *Patch) { p.Set("a", []byte(`1`)) }, `{"a":1}`},
	} {
		p := body(t, tt.raw).Patch()
		tt.change(p)
		if got := string(p.Bytes()); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestPatchEdits(t *testing.T) {
	const raw = `{"a":"one two","b":"three"}`
	at := func(from, to int) Span { return Span{from, to} }
	for _, tt := range []struct {
		name  string
		edits []Edit
		sets  []Set
		want  string
	}{
		{"in order", []Edit{{at(6, 9), []byte("1")}, {at(10, 13), []byte("2")}}, nil, `{"a":"1 2","b":"three"}`},
		{"out of order", []Edit{{at(10, 13), []byte("2")}, {at(6, 9), []byte("1")}}, nil, `{"a":"1 2","b":"three"}`},
		{"overlap", []Edit{{at(6, 9), []byte("1")}, {at(7, 13), []byte("2")}}, nil, `{"a":"1 two","b":"three"}`},
		{"in a member that is set", []Edit{{at(6, 9), []byte("1")}}, []Set{{"a", []byte(`0`)}}, `{"a":0,"b":"three"}`},
		{"in a member that goes", []Edit{{at(6, 9), []byte("1")}}, []Set{{"a", nil}}, `{"b":"three"}`},
	} {
		r := &Request{Body: *body(t, raw), Edits: tt.edits, Sets: tt.sets}
		if got := string(r.Patch().Bytes()); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
		if string(r.Body.Raw) != raw {
			t.Errorf("%s: the client's body was changed", tt.name)
		}
	}
}
