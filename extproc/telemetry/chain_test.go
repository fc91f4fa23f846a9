package telemetry

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// bodies are events to be chained.
func bodies(from, to int) (bs [][]byte) {
	for i := from; i < to; i++ {
		bs = append(bs, fmt.Appendf(nil, `{"decision_id":"%d"}`, i))
	}
	return bs
}

// written is a chain in several files, the oldest first.
func written(t testing.TB) (dir string, paths []string) {
	t.Helper()
	dir = t.TempDir()
	path := filepath.Join(dir, "d.jsonl")
	f, err := openFile(path, 2000, 10, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		if _, err := f.append(bodies(2*i, 2*i+2)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	if paths, err = Files(path); err != nil || len(paths) < 3 {
		t.Fatalf("%d files, %v", len(paths), err)
	}
	return dir, paths
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestVerify(t *testing.T) {
	_, paths := written(t)
	found, err := Verify(paths...)
	if err != nil || len(found) != 1 || found[0].First != 1 || found[0].Last != 24 || found[0].Cut != "" || len(found[0].Head) != 64 {
		t.Fatalf("%+v, %v", found, err)
	}
	whole := found[0]

	mixed := slices.Clone(paths)
	slices.Reverse(mixed)
	if found, err := Verify(mixed...); err != nil || found[0] != whole {
		t.Errorf("in another order: %+v, %v", found, err)
	}
	if found, err := Verify(paths[1:]...); err != nil || found[0].First == 1 || found[0].Head != whole.Head {
		t.Errorf("without the oldest: %+v, %v", found, err)
	}
	if _, err := Verify(append(paths[:1:1], paths[2:]...)...); err == nil || !strings.Contains(err.Error(), filepath.Base(paths[2])+":1: ") {
		t.Errorf("without the second: %v", err)
	}
	if _, err := Verify(append(paths, paths[0])...); err == nil {
		t.Error("one file twice is not found")
	}
	_, others := written(t)
	if found, err := Verify(append(paths, others...)...); err != nil || len(found) != 2 {
		t.Errorf("two logs: %+v, %v", found, err)
	}
	if _, err := Verify(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there is good")
	}
}

// What is behind the newest lines cannot be missed, but what is left of a line
// is seen, and so is another head.
func TestVerifyEnd(t *testing.T) {
	_, paths := written(t)
	whole, _ := Verify(paths...)
	last := paths[len(paths)-1]
	text := read(t, last)
	write(t, last, text[:len(text)-7])
	found, err := Verify(paths...)
	if err != nil || found[0].Cut != last || found[0].Last != 23 || found[0].Head == whole[0].Head {
		t.Errorf("cut in the last line: %+v, %v", found, err)
	}
}

// Lines that were added with the right hashes are not of the chain.
func TestVerifyAdded(t *testing.T) {
	_, paths := written(t)
	whole, err := Verify(paths...)
	if err != nil {
		t.Fatal(err)
	}
	last := paths[len(paths)-1]
	text := read(t, last)
	end := chain{id: whole[0].Chain, seq: whole[0].Last}
	if _, err := hex.Decode(end.hash[:], []byte(whole[0].Head)); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]chain{
		"this line belongs to another chain":                        {"00ff", end.seq, end.hash},
		"this is line 26 of the chain, and the one before it is 24": {end.id, end.seq + 1, end.hash},
		"the line before this one is another than was there":        {end.id, end.seq, chain{}.hash},
		"": end,
	} {
		_, lines := c.seal(bodies(24, 25), false)
		write(t, last, append(text, lines[0]...))
		if _, err := Verify(paths...); (err == nil) != (want == "") || err != nil && !strings.HasSuffix(err.Error(), ": "+want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// A tampering changes the lines of one file so that it must be found.
type tampering struct {
	name string
	do   func(r *rand.Rand, lines [][]byte, last bool) [][]byte
}

var tamperings = []tampering{
	{"a byte", func(r *rand.Rand, lines [][]byte, last bool) [][]byte {
		l := lines[r.IntN(len(lines))]
		n := len(l)
		if last { // without its line feed a last line is one that was cut
			n--
		}
		at := r.IntN(n)
		l[at] ^= byte(1 + r.IntN(255))
		return lines
	}},
	{"a line is gone", func(r *rand.Rand, lines [][]byte, last bool) [][]byte {
		i := r.IntN(len(lines))
		if last {
			i = r.IntN(len(lines) - 1)
		}
		return slices.Delete(lines, i, i+1)
	}},
	{"the first lines are gone", func(r *rand.Rand, lines [][]byte, last bool) [][]byte {
		return lines[1+r.IntN(len(lines)-1):]
	}},
	{"the last lines are gone", func(r *rand.Rand, lines [][]byte, last bool) [][]byte {
		if last { // not to be seen, see TestVerifyEnd
			return lines[1:]
		}
		return lines[:1+r.IntN(len(lines)-1)]
	}},
	{"cut in the middle", func(r *rand.Rand, lines [][]byte, last bool) [][]byte {
		text := bytes.Join(lines, nil)
		from := r.IntN(len(text) - 2)
		to := from + 1 + r.IntN(len(text)-2-from)
		return [][]byte{slices.Delete(text, from, to)}
	}},
	{"two lines change places", func(r *rand.Rand, lines [][]byte, last bool) [][]byte {
		i := r.IntN(len(lines) - 1)
		lines[i], lines[i+1] = lines[i+1], lines[i]
		return lines
	}},
	{"a line is there twice", func(r *rand.Rand, lines [][]byte, last bool) [][]byte {
		i := r.IntN(len(lines))
		return slices.Insert(lines, i, slices.Clone(lines[i]))
	}},
	{"a line of one's own", func(r *rand.Rand, lines [][]byte, last bool) [][]byte {
		i := r.IntN(len(lines))
		_, forged := newChain().seal(bodies(99, 100), i == 0)
		return slices.Insert(lines, i, forged[0])
	}},
	{"a line is another, with a good hash", func(r *rand.Rand, lines [][]byte, last bool) [][]byte {
		i := r.IntN(len(lines))
		if last {
			i = r.IntN(len(lines) - 1)
		}
		var l Link
		_ = json.Unmarshal(lines[i], &l)
		c := chain{id: l.Chain, seq: l.Seq - 1}
		_, forged := c.seal(bodies(99, 100), l.Opens)
		lines[i] = forged[0]
		return lines
	}},
	{"an empty line", func(r *rand.Rand, lines [][]byte, last bool) [][]byte {
		return slices.Insert(lines, r.IntN(len(lines)+1), []byte("\n"))
	}},
}

// Whatever is done to a line of any file is found.
func TestTampering(t *testing.T) {
	_, paths := written(t)
	for _, tt := range tamperings {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(200) {
				r := rand.New(rand.NewPCG(seed, 1))
				i := r.IntN(len(paths))
				before := read(t, paths[i])
				lines := bytes.SplitAfter(bytes.Clone(before), []byte("\n"))
				after := bytes.Join(tt.do(r, lines[:len(lines)-1], i == len(paths)-1), nil)
				if bytes.Equal(before, after) {
					continue
				}
				write(t, paths[i], after)
				found, err := Verify(paths...)
				if err == nil && (len(found) != 1 || found[0].Cut == "") {
					t.Errorf("seed %d: nothing is found in file %d:\n%s", seed, i, after)
				}
				write(t, paths[i], before)
			}
		})
	}
}

// A log goes on after a restart, wherever the writing ended.
func TestResume(t *testing.T) {
	path := filepath.Join(t.TempDir(), "logs", "d.jsonl")
	for i, damage := range []func(){
		func() {},
		func() {},
		func() { write(t, path, append(read(t, path), `{"chain":"x`...)) },
		func() { write(t, path, append(read(t, path), make([]byte, 4096)...)) },
	} {
		damage()
		d := start(t, Options{File: path})
		d.With(all).Decided(allowed(fmt.Sprint(i)))
		finish(t, d)
	}
	found, err := Verify(path)
	if err != nil || len(found) != 1 || found[0].Last != 4 || found[0].Cut != "" {
		t.Errorf("%+v, %v", found, err)
	}
	if got := ids(events(t, path)); got != "0 1 2 3" {
		t.Error(got)
	}

	// It ended after the file was put aside.
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	d := start(t, Options{File: path})
	d.With(all).Decided(allowed("4"))
	finish(t, d)
	if found, err := Verify(path+".1", path); err != nil || len(found) != 1 || found[0].Last != 5 {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "d.jsonl")
	refused := func(name, want string) {
		t.Helper()
		if d, err := Open(Options{File: path, Logger: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
			if err == nil {
				_ = d.Close(context.Background())
			}
		}
	}
	const other = "127.0.0.1 - a line of some other program's log, which is long enough to hold a hash at its end if it were one of ours\n"
	write(t, path, []byte(other))
	refused("another file", "d.jsonl: the last line: this is not a line of a log of decisions")
	if got := string(read(t, path)); got != other {
		t.Errorf("another file was changed to %q", got)
	}

	_, lines := newChain().seal(bodies(0, 1), true)
	write(t, path, bytes.Replace(lines[0], []byte(`"0"`), []byte(`"1"`), 1))
	refused("a changed line", "this line was changed")

	write(t, path, bytes.Repeat([]byte{'x'}, 3*maxLine))
	refused("a large file", "this is not a line of a log of decisions")

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	start(t, Options{File: path})
	refused("a second gateway", "another gateway writes this file")
}

// Files are put aside before they are too large, and the oldest go.
func TestRotate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d.jsonl")
	f, err := openFile(path, 3000, 2, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		if _, err := f.append(bodies(i, i+1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	files, err := Files(path)
	if err != nil || strings.Join(files, " ") != path+".2 "+path+".1 "+path {
		t.Fatalf("files %v, %v", files, err)
	}
	for _, name := range files {
		if n := len(read(t, name)); n > 3000 || n == 0 {
			t.Errorf("%s has %d bytes", name, n)
		}
	}
	es := events(t, path)
	if last := es[len(es)-1]; last.DecisionID != "39" || last.Seq != 40 || es[0].Seq != 41-uint64(len(es)) {
		t.Errorf("%d events from %d to %d", len(es), es[0].Seq, last.Seq)
	}
	if found, err := Verify(files...); err != nil || found[0].First != es[0].Seq || found[0].Last != 40 {
		t.Errorf("%+v, %v", found, err)
	}
}

// A batch of which a part was written does not count, and is not left there.
func TestTorn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d.jsonl")
	f, err := openFile(path, 0, 1, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.append(bodies(0, 1)); err != nil {
		t.Fatal(err)
	}
	good := f.f
	if f.f, err = os.Open(path); err != nil { // cannot be written
		t.Fatal(err)
	}
	if _, err := f.append(bodies(1, 2)); err == nil {
		t.Fatal("it was written")
	}
	f.f.Close()
	if _, err := good.WriteString("part of a li"); err != nil {
		t.Fatal(err)
	}
	f.f = good
	if _, err := f.append(bodies(1, 2)); err != nil {
		t.Fatal(err)
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	if found, err := Verify(path); err != nil || found[0].Last != 2 || found[0].Cut != "" {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	for name, tt := range map[string]struct{ text, want string }{
		"empty":     {"", ""},
		"whole":     {`{"decision_id":"1"}` + "\n" + `{"decision_id":"2"}` + "\n", "1 2"},
		"cut":       {`{"decision_id":"1"}` + "\n" + `{"decis`, "1"},
		"broken":    {`{"decision_id":"1"}` + "\n" + `{"decis` + "\n" + `{"decision_id":"2"}` + "\n", "1 broken:2: unexpected end of JSON input"},
		"no event":  {`{"id":"1"}` + "\n", "no event:1: this is not a line of a log of decisions"},
		"too long":  {strings.Repeat("x", maxLine+1) + "\n", "too long:1: bufio: buffer full"},
		"no object": {"1\n", "no object:1: json: cannot unmarshal number into Go value of type telemetry.Event"},
	} {
		path := filepath.Join(dir, name)
		write(t, path, []byte(tt.text))
		var got []string
		for e, err := range Read(path) {
			if err != nil {
				got = append(got, strings.TrimPrefix(err.Error(), "telemetry: "+dir+"/"))
			} else {
				got = append(got, e.DecisionID)
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %q", name, got)
		}
	}
	n := 0
	for range Read(filepath.Join(dir, "whole")) {
		n++
		break
	}
	if n != 1 {
		t.Error("the loop does not end")
	}
}

// A file of anything is read and verified without a panic, and what verifies is
// read.
func FuzzVerify(f *testing.F) {
	_, lines := newChain().seal(bodies(0, 3), true)
	f.Add(bytes.Join(lines, nil))
	f.Add(lines[0])
	f.Add(lines[0][:len(lines[0])-1])
	f.Add([]byte("{}\n\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(dir, "f")
		write(t, path, text)
		found, err := Verify(path)
		var n uint64
		for _, rerr := range Read(path) {
			if rerr == nil {
				n++
			}
		}
		if err == nil && len(found) == 1 && n != found[0].Last-found[0].First+1 {
			t.Errorf("%+v are good, %d are read", found[0], n)
		}
	})
}
