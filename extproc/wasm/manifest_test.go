package wasm

import (
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// describes is a guest that says something about itself.
func describes(manifest string, before ...any) module {
	m := guest(allow)
	m.data = allow + manifest
	m.funcs[1].body = packed(dataAt, len(allow))
	m.funcs = append(m.funcs, function{name: exportManifest, typ: tResult, body: code(code(before...), packed(dataAt+len(allow), len(manifest)))})
	return m
}

func TestManifest(t *testing.T) {
	g := mustLoad(t, options(describes(`{"name":"x","version":"1","max_match_bytes":48,"phases":["request","response"],"self_test":[]}`).bytes()))
	if g.MaxMatch() != 48 || !g.Takes(gateway.PhaseRequest) || !g.Takes(gateway.PhaseResponse) || g.Takes(gateway.PhaseStream) {
		t.Errorf("got %+v", g.manifest)
	}
	if _, err := g.Check(t.Context(), text("x")); err != nil {
		t.Error(err)
	}
	if g := mustLoad(t, options(guest(allow).bytes())); g.MaxMatch() != 0 || !g.Takes(gateway.PhaseStream) {
		t.Errorf("without a manifest: %+v", g.manifest)
	}
}

func TestBadManifests(t *testing.T) {
	for name, m := range map[string]module{
		"invalid character":                describes("x"),
		"max_match_bytes is -1":            describes(`{"max_match_bytes":-1}`),
		"cannot unmarshal":                 describes(`{"phases":"stream"}`),
		"unreachable":                      describes(`{}`, opUnreachable),
		"range outside memory or too long": describes(strings.Repeat(" ", maxManifest+1)),
	} {
		if _, err := Load(t.Context(), options(m.bytes())); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), exportManifest) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
