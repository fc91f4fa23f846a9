package telemetry

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
)

// A file is where a chain is written. Before it gets too large it is put aside
// under the name path.1, those before become path.2 and so on, and the chain
// goes on in a new one.
type file struct {
	path  string
	max   int64 // 0: no limit
	keep  int
	f     *os.File
	size  int64 // of the lines
	torn  bool  // there is part of a batch behind them
	chain chain
}

// maxLine bounds a line that is read, in bytes.
const maxLine = maxBody + 64<<10

// openFile opens a file, or makes it, to go on with its chain. The remains of a
// line whose writing was interrupted are taken off.
func openFile(path string, limit int64, keep int, log *slog.Logger) (*file, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	w := &file{path: path, max: limit, keep: max(keep, 1), chain: newChain()}
	if err := w.create(); err != nil {
		return nil, err
	}
	cut, err := w.resume()
	if err != nil {
		w.f.Close()
		return nil, err
	}
	if cut > 0 {
		log.Warn("the last line of the log of decisions was cut, and is taken off", "file", path, "bytes", cut)
	}
	return w, nil
}

// create opens the file, which nobody else may write.
func (w *file) create() error {
	f, err := os.OpenFile(w.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		err = lock(f)
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("%s: %w", w.path, err)
	}
	w.f, w.size = f, info.Size()
	return nil
}

// resume finds the end of the chain: in the file or, if that is empty, in the one
// that was put aside last. It returns how many bytes of a cut line it took off.
func (w *file) resume() (cut int64, err error) {
	last, rest, err := lastLine(w.f, w.size)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", w.path, err)
	}
	if rest > 0 {
		if err := w.truncate(w.size - rest); err != nil {
			return 0, err
		}
	}
	from := w.path
	if last == nil {
		from = w.aside(1)
		if last, err = lastLineOf(from); errors.Is(err, fs.ErrNotExist) || err == nil && last == nil {
			return rest, nil
		}
	}
	if err == nil {
		_, w.chain, err = link(last)
	}
	if err != nil {
		return 0, fmt.Errorf("%s: the last line: %w; move the file away to begin a new one", from, err)
	}
	return rest, nil
}

func (w *file) truncate(size int64) error {
	if err := w.f.Truncate(size); err != nil {
		return err
	}
	w.size, w.torn = size, false
	return nil
}

func lastLineOf(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	line, _, err := lastLine(f, info.Size())
	return line, err
}

// lastLine returns the last whole line of a file, nil if there is none, and how
// many bytes stand behind it.
func lastLine(f *os.File, size int64) (line []byte, rest int64, err error) {
	tail := make([]byte, min(size, 2*maxLine))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil {
		return nil, 0, err
	}
	end := bytes.LastIndexByte(tail, '\n')
	if end < 0 && size > maxLine {
		return nil, 0, errNoEvent
	}
	rest = int64(len(tail) - end - 1)
	if end < 0 {
		return nil, rest, nil
	}
	return tail[bytes.LastIndexByte(tail[:end], '\n')+1 : end], rest, nil
}

// append writes a line for each body, and returns the lines. If it fails none of
// them counts.
func (w *file) append(bodies [][]byte) ([][]byte, error) {
	next, lines := w.chain.seal(bodies, w.size == 0)
	text := bytes.Join(lines, nil)
	if w.max > 0 && w.size > 0 && w.size+int64(len(text)) > w.max {
		if err := w.rotate(); err != nil {
			return nil, err
		}
		next, lines = w.chain.seal(bodies, true)
		text = bytes.Join(lines, nil)
	}
	if err := w.write(text); err != nil {
		return nil, err
	}
	w.chain = next
	return lines, nil
}

func (w *file) write(text []byte) error {
	if w.torn {
		if err := w.truncate(w.size); err != nil {
			return err
		}
	}
	if _, err := w.f.Write(text); err != nil {
		w.torn = true
		return err
	}
	w.size += int64(len(text))
	return nil
}

// aside is the name of the file that was put aside n times ago.
func (w *file) aside(n int) string { return w.path + "." + strconv.Itoa(n) }

// rotate puts the file aside and begins a new one.
func (w *file) rotate() error {
	if err := w.f.Sync(); err != nil {
		return err
	}
	for n := w.keep; n > 0; n-- {
		from := w.aside(n - 1)
		if n == 1 {
			from = w.path
		}
		if err := os.Rename(from, w.aside(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	old := w.f
	if err := w.create(); err != nil {
		return err
	}
	return old.Close()
}

func (w *file) close() error { return errors.Join(w.f.Sync(), w.f.Close()) }
