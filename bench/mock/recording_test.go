package mock

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReplay(t *testing.T) {
	recordings := make(map[string]*Recording)
	for _, name := range []string{"json", "sse", "crlf", "eventstream"} {
		rec, err := LoadRecording(filepath.Join("testdata", "recording-"+name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		recordings[name] = rec
	}
	s := start(t, Options{Recordings: recordings})
	want := map[string]struct {
		status    int
		kind, raw string
	}{
		"json":        {418, "application/json", `{"id": "x", "text":"a\u00e9" }`},
		"sse":         {200, "text/event-stream", "data: {\"n\":1}\n\ndata: é\n\ndata: [DONE]\n\n"},
		"crlf":        {200, "text/event-stream; charset=utf-8", "data: 1\r\n\r\ndata: 2\r\n\r\n"},
		"eventstream": {200, "application/vnd.amazon.eventstream", "\x00\x01\xff\xfe"},
	}
	for name, want := range want {
		for _, chunks := range []string{"whole", "byte", "random:7"} {
			resp := post(t, s.URL()+"/any/path", `{"model":"m@replay=`+name+`@chunks=`+chunks+`"}`)
			got, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != want.status || resp.Header.Get("Content-Type") != want.kind || string(got) != want.raw {
				t.Errorf("%s %s: %d %q %q, %v", name, chunks, resp.StatusCode, resp.Header.Get("Content-Type"), got, err)
			}
		}
	}
	for name, n := range map[string]int{"sse": 3, "crlf": 2, "json": 1} {
		if got := len(recordings[name].reply().frames); got != n {
			t.Errorf("%s: %d frames, want %d", name, got, n)
		}
	}
}

func TestLoadRecordingErrors(t *testing.T) {
	for name, text := range map[string]string{
		"not JSON": `{`,
		"status":   `{"response":{"kind":"json","body":{}}}`,
		"kind":     `{"response":{"status":200,"kind":"chunks","raw_lines":["{}"]}}`,
	} {
		path := filepath.Join(t.TempDir(), "r.json")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadRecording(path); err == nil || !strings.HasPrefix(err.Error(), "mock: recording") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := LoadRecording("testdata/missing"); err == nil {
		t.Error("a missing file was read")
	}
}

func TestChunks(t *testing.T) {
	body := []byte(strings.Repeat("0123456789", 100))
	for _, tc := range []struct {
		chunks Chunks
		pieces int // 0 means any number over 10
	}{{Byte, 1000}, {Random(1), 0}, {Random(2), 0}} {
		pieces := tc.chunks.cut(body)
		var joined []byte
		for _, p := range pieces {
			if len(p) == 0 {
				t.Errorf("%s: empty piece", tc.chunks)
			}
			joined = append(joined, p...)
		}
		if string(joined) != string(body) || tc.pieces != 0 && len(pieces) != tc.pieces || len(pieces) < 10 {
			t.Errorf("%s: %d pieces", tc.chunks, len(pieces))
		}
	}
	first, second := Random(1).cut(body), Random(2).cut(body)
	if len(first[0]) == len(second[0]) && len(first[1]) == len(second[1]) && len(first[2]) == len(second[2]) {
		t.Error("the seed makes no difference")
	}
	for _, bad := range []string{"bits", "random", "random:x", "byte "} {
		if _, err := parseChunks(bad); err == nil {
			t.Errorf("parseChunks(%q) succeeded", bad)
		}
	}
}

// TestCorpus loads every recording of the shared corpus, where it is there.
func TestCorpus(t *testing.T) {
	const corpus = "../../../shared/corpus"
	raw, err := os.ReadFile(filepath.Join(corpus, "index.json"))
	if err != nil {
		t.Skip("no corpus of recordings")
	}
	var index struct {
		Recordings []struct {
			File, Kind string
			Status     int
		}
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatal(err)
	}
	for _, r := range index.Recordings {
		rec, err := LoadRecording(filepath.Join(corpus, r.File))
		if (err != nil) != (r.Kind == "chunks") {
			t.Errorf("%s: %v", r.File, err)
		}
		if err == nil && (rec.Status != r.Status || len(rec.Body) == 0 || r.Kind == "sse" && rec.reply().stream() && len(rec.reply().frames) == 0) {
			t.Errorf("%s: status %d, %d bytes of %s", r.File, rec.Status, len(rec.Body), rec.ContentType)
		}
	}
}
