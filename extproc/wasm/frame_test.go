package wasm

import (
	"testing"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

// TestFrame compares a frame with one that was written by hand from ABI.md.
func TestFrame(t *testing.T) {
	var f frame
	f.set(text("an older one, with more text")) // nothing of it may be left
	f.set(&gateway.Text{RequestID: "r", Model: "m\"", Tenant: "t", Segments: []gateway.Segment{
		{Role: llm.RoleSystem, Kind: gateway.SegmentSystem, Text: "hé"},
		{Role: "other", Kind: gateway.SegmentToolArgs, Text: ""},
		{Role: llm.RoleAssistant, Kind: gateway.SegmentText, Text: "x"},
	}})
	b := make([]byte, f.size())
	f.write(b)
	want := "ATG1" + "\x01\x00" + "\x01\x00" + "\x03\x00\x00\x00" +
		"\x4c\x00\x00\x00" + "\x32\x00\x00\x00" + "\x7e\x00\x00\x00" + "\x04\x00\x00\x00" +
		"\x00\x00\x00\x00" + "\x01\x04\x00\x00" + "\x00\x00\x00\x00" + "\x03\x00\x00\x00" +
		"\x01\x00\x00\x00" + "\x00\x01\x00\x00" + "\x03\x00\x00\x00" + "\x00\x00\x00\x00" +
		"\x02\x00\x00\x00" + "\x03\x00\x00\x00" + "\x03\x00\x00\x00" + "\x01\x00\x00\x00" +
		`{"model":"m\"","request_id":"r","tenant_hash":"t"}` + "héx"
	if string(b) != want {
		t.Errorf("got  %q\nwant %q", b, want)
	}
}

// TestPhases: what of a frame tells requests, responses and streams apart.
func TestPhases(t *testing.T) {
	for _, tt := range []struct {
		text gateway.Text
		want string
	}{
		{gateway.Text{}, "\x01\x00\x01\x00"},
		{gateway.Text{Phase: gateway.PhaseResponse}, "\x02\x00\x01\x00"},
		{gateway.Text{Phase: gateway.PhaseStream}, "\x03\x00\x01\x00"},
		{gateway.Text{Phase: gateway.PhaseStream, More: true}, "\x03\x00\x00\x00"},
		{gateway.Text{Phase: gateway.PhaseStream, More: true, Seen: true}, "\x03\x00\x02\x00"},
		{gateway.Text{Phase: gateway.PhaseStream, Seen: true}, "\x03\x00\x03\x00"},
	} {
		var f frame
		f.set(&tt.text)
		b := make([]byte, f.size())
		f.write(b)
		if got := string(b[4:8]); got != tt.want {
			t.Errorf("%+v: got %q, want %q", tt.text, got, tt.want)
		}
	}
}
