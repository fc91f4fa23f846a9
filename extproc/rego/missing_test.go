package rego

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// TestMissing: rules that wait for data that are not there, or for a permission
// that no rule gives, are warnings.
func TestMissing(t *testing.T) {
	const text = `package attache.request

import rego.v2

import data.attache.config

deny contains {"code": "a"} if input.request.images > config.images

deny contains {"code": "b"} if input.request.files > config.limits.file

deny contains {"code": "c"} if input.request.files > config.limits[input.caller.team].files

deny contains {"code": "d"} if config.limits.files.most == input.request.files

deny contains {"code": "e"} if input.request.audios > config.limits.files
`
	data := fstest.MapFS{"a.rego": {Data: []byte(text)}, "data/a.json": {Data: []byte(`{"limits": {"files": 3}}`)}}
	p, err := Load(t.Context(), Options{FS: data, Default: Deny, Deadline: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"a.rego:7: there is no data.attache.config.images in the data",
		"a.rego:9: there is no data.attache.config.limits.file in the data",
		"the default is to deny, and no rule allows anything: all requests are refused",
	}
	if got := strings.Join(p.Warnings(), "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s", got)
	}
	data["b.rego"] = &fstest.MapFile{Data: []byte("package attache.request\n\nallow contains {} if input.caller.team == \"x\"\n")}
	data["data/a.json"].Data = []byte(`{"images": 1, "limits": {"file": 1, "files": {"most": 2}}}`)
	if p, err = Load(t.Context(), Options{FS: data, Default: Deny, Deadline: time.Minute}); err != nil || len(p.Warnings()) > 0 {
		t.Errorf("%v, %v", p.Warnings(), err)
	}
}
