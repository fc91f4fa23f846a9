package guard

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

const (
	header = "ATG1" + "\x01\x00" + "\x01\x00" + "\x02\x00\x00\x00" +
		"\x3c\x00\x00\x00" + "\x02\x00\x00\x00" + "\x3e\x00\x00\x00" + "\x05\x00\x00\x00"
	segments = "\x00\x00\x00\x00" + "\x02\x00\x00\x00" + "\x00\x00\x00\x00" + "\x03\x00\x00\x00" +
		"\x07\x00\x00\x00" + "\x03\x01\x00\x00" + "\x03\x00\x00\x00" + "\x02\x00\x00\x00"
	frame = header + segments + "{}" + "abcde"
)

func TestDecode(t *testing.T) {
	want := Input{Phase: Request, Flags: 1, Meta: []byte("{}"), Segments: []Segment{
		{ID: 0, Role: RoleUser, Kind: Text, Text: []byte("abc")},
		{ID: 7, Role: RoleAssistant, Kind: ToolArgs, Text: []byte("de")},
	}}
	var in Input
	for range 2 { // the second time in the memory of the first
		if err := in.Decode([]byte(frame)); err != nil || !reflect.DeepEqual(in, want) {
			t.Fatalf("got %+v, %v\nwant %+v", in, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(frame)
	f.Add(frame[:40])
	f.Add(strings.Replace(frame, "\x05\x00\x00\x00", "\xff\xff\xff\xff", 1))
	f.Fuzz(func(t *testing.T, b string) {
		var in Input
		if in.Decode([]byte(b)) == nil && len(in.Segments)*segmentSize > len(b) {
			t.Error("more segments than fit")
		}
	})
}

func TestDecodeRefuses(t *testing.T) {
	for n := range len(frame) {
		var in Input
		if in.Decode([]byte(frame[:n])) == nil {
			t.Errorf("accepted the first %d of %d bytes", n, len(frame))
		}
	}
}

// TestVerdict reads what Append wrote with encoding/json.
func TestVerdict(t *testing.T) {
	var v Verdict
	if got := string(v.Append(nil)); got != `{"action":"allow"}` {
		t.Errorf("zero verdict: %s", got)
	}
	v.Redact(Span{Segment: 1, Start: 2, End: 3, Label: "a"})
	v.Redact(Span{Segment: 1, Start: 4, End: 9, Label: "b", Replacement: "\"\\\n\x1fé\xff"})
	v.Label("x")
	v.Label("y")
	v.Label("x")
	v.Scores = append(v.Scores, Score{"s", 0.25})
	v.Block("code", "a message")
	v.Redact(Span{Segment: 2, Start: 0, End: 1, Label: "c"}) // stays block

	var got any
	if err := json.Unmarshal(v.Append(nil), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"action": "block", "code": "code", "message": "a message",
		"spans": []any{
			[]any{1.0, 2.0, 3.0, "a"},
			[]any{1.0, 4.0, 9.0, "b", "\"\\\n\x1fé\uFFFD"},
			[]any{2.0, 0.0, 1.0, "c"}},
		"labels": []any{"x", "y"}, "scores": map[string]any{"s": 0.25}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if v.Reset(); string(v.Append(nil)) != `{"action":"allow"}` {
		t.Errorf("after Reset: %s", v.Append(nil))
	}
}

func TestRegister(t *testing.T) {
	t.Cleanup(func() { Register(nil, nil) })
	Register(func(c []byte) error {
		if string(c) != "{}" {
			return errors.New("no " + string(c))
		}
		return nil
	}, func(in *Input, v *Verdict) { v.Label(string(in.Segments[1].Text)) })

	if got := configure([]byte("{}")); len(got) > 0 {
		t.Errorf("configure: %s", got)
	}
	if got := string(configure([]byte("[]"))); got != "no []" {
		t.Errorf("configure: %q", got)
	}
	for range 2 { // the second verdict has nothing of the first
		if got := string(check([]byte(frame))); got != `{"action":"allow","labels":["de"]}` {
			t.Errorf("check: %s", got)
		}
	}
}

func TestOptions(t *testing.T) {
	tests := []struct{ config, want string }{ // want: the members, or "error"
		{`{}`, ""},
		{" { \"a\" : \"b\" ,\n\t\"c\":\"é\" } ", "a=b c=é "},
		{``, "error"},
		{`[]`, "error"},
		{`{"a":1}`, "error"},
		{`{"a":"b",}`, "error"},
		{`{"a":"b" "c":"d"}`, "error"},
		{`{,"a":"b"}`, "error"},
		{`{"a":"\n"}`, "error"},
		{`{"a":"b"}}`, "error"},
		{`{"a":"b`, "error"},
		{`{"a"`, "error"},
		{`{"bad":"x"}`, "error"},
	}
	for _, test := range tests {
		got := ""
		err := Options([]byte(test.config), func(name, value string) error {
			if name == "bad" {
				return errors.New("bad")
			}
			got += name + "=" + value + " "
			return nil
		})
		if err != nil {
			got = "error"
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.config, got, test.want)
		}
	}
}

// TestHold: what only streams look at is said only if the plugin says it.
func TestHold(t *testing.T) {
	var v Verdict
	v.Hold(0)
	if got := string(v.Append(nil)); got != `{"action":"allow","hold":0}` {
		t.Errorf("got %s", got)
	}
	v.Reset()
	if got := string(v.Append(nil)); got != `{"action":"allow"}` {
		t.Errorf("got %s", got)
	}
}

func TestManifest(t *testing.T) {
	defer MaxMatch(0)
	if got := string(manifest()); got != "{}" {
		t.Errorf("got %s", got)
	}
	MaxMatch(48)
	if got := string(manifest()); got != `{"max_match_bytes":48}` {
		t.Errorf("got %s", got)
	}
}
