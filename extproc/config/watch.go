package config

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Watch calls changed whenever the content of one of the files, or of a file
// anywhere in one of the directories, is another than at the call of Watch or at
// the last change, and returns when ctx ends. A file that cannot be read counts as one with another content.
//
// It looks once a second, rather than being notified: that works the same on
// network file systems, for symbolic links that are swapped as Kubernetes does,
// and for editors that write a new file. A change is passed on when two looks
// in a row saw the same, so that nobody reads a set of files that is half
// written. Names with a dot in front are left out: they are editors' and
// Kubernetes' own.
func Watch(ctx context.Context, paths []string, changed func()) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	newWatcher(paths).run(ctx, ticker.C, changed)
}

// A digest stands for the content of all files.
type digest [sha256.Size]byte

// A watcher remembers what it has seen, and reads only those files again that
// were written since.
type watcher struct {
	paths []string
	files map[string]seen
	known digest // of what was passed on
	last  digest // of the last look
}

func newWatcher(paths []string) *watcher {
	w := &watcher{paths: paths}
	w.known = w.look()
	w.last = w.known
	return w
}

// run looks at every tick until ctx ends.
func (w *watcher) run(ctx context.Context, tick <-chan time.Time, changed func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
			if w.changed() {
				changed()
			}
		}
	}
}

// changed looks, and reports whether there is a change to pass on.
func (w *watcher) changed() bool {
	now := w.look()
	settled := now == w.last && now != w.known
	w.last = now
	if settled {
		w.known = now
	}
	return settled
}

type seen struct {
	info fs.FileInfo
	sum  digest
}

// maxWatched bounds how many files are watched; those after it are not.
const maxWatched = 10_000

// look returns the digest of what is there now.
func (w *watcher) look() digest {
	files := map[string]seen{}
	all := sha256.New()
	for _, root := range w.paths {
		walk(root, func(path string, info fs.FileInfo, err error) bool {
			s := w.files[path]
			if err == nil && !s.fresh(info) {
				s.info = info
				s.sum, err = sumOf(path)
			}
			if err != nil {
				fmt.Fprintf(all, "%s\x00%v\x00", path, err)
				return true
			}
			files[path] = s
			fmt.Fprintf(all, "%s\x00%x\x00", path, s.sum)
			return len(files) < maxWatched
		})
	}
	w.files = files
	return digest(all.Sum(nil))
}

// fresh reports whether a file is still the one that was read.
func (s seen) fresh(info fs.FileInfo) bool {
	return s.info != nil && os.SameFile(s.info, info) && s.info.Size() == info.Size() && s.info.ModTime().Equal(info.ModTime())
}

// walk calls f for a file, or for the files of a directory in order. Links are
// followed, but not those to directories below root. It ends when f says so.
func walk(root string, f func(path string, info fs.FileInfo, err error) bool) {
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		f(root, nil, err)
		return
	}
	_ = filepath.WalkDir(real, func(path string, d fs.DirEntry, err error) error {
		if path != real && strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		var info fs.FileInfo
		if err == nil {
			info, err = os.Stat(path)
		}
		if err == nil && !info.Mode().IsRegular() {
			return nil
		}
		if !f(root+strings.TrimPrefix(path, real), info, err) {
			return fs.SkipAll
		}
		return nil
	})
}

// errLarge stands for the content of a file that nobody would load.
var errLarge = errors.New("too large to be watched")

func sumOf(path string) (digest, error) {
	const limit = 256 << 20
	f, err := os.Open(path)
	if err != nil {
		return digest{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return digest{}, err
	case n > limit:
		return digest{}, errLarge
	}
	return digest(h.Sum(nil)), nil
}
