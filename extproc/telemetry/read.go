package telemetry

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Files returns the files of a log that are there, the oldest first: those that
// were put aside, and the one at the path.
func Files(path string) ([]string, error) {
	found, err := filepath.Glob(escape(path) + ".*")
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	aside := map[int]string{}
	var numbers []int
	for _, name := range found {
		if n, err := strconv.Atoi(name[len(path)+1:]); err == nil && n > 0 {
			aside[n], numbers = name, append(numbers, n)
		}
	}
	slices.Sort(numbers)
	var files []string
	for _, n := range slices.Backward(numbers) {
		files = append(files, aside[n])
	}
	if _, err := os.Stat(path); err == nil {
		files = append(files, path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	return files, nil
}

// escape makes a pattern of a path.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// Read returns the events of files, one after the other. It ends with the first
// error, which names the file and the line. A last line that was cut, as it may
// be while the gateway writes it, is left out. It does not check the chain.
func Read(paths ...string) iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		for _, path := range paths {
			for line, err := range lines(path) {
				e := new(Event)
				if err == nil {
					err = line.decode(e)
				}
				if err != nil {
					yield(nil, err)
					return
				}
				if !line.cut && !yield(e, nil) {
					return
				}
			}
		}
	}
}

// A line is one of a file.
type line struct {
	path string
	n    int
	text []byte // without the line feed
	cut  bool   // there was none
}

func (l *line) wrap(err error) error { return fmt.Errorf("telemetry: %s:%d: %w", l.path, l.n, err) }

func (l *line) decode(e *Event) error {
	if l.cut {
		return nil
	}
	if err := json.Unmarshal(l.text, e); err != nil {
		return l.wrap(err)
	}
	if e.DecisionID == "" {
		return l.wrap(errNoEvent)
	}
	return nil
}

// lines returns the lines of a file. They are valid until the next one.
func lines(path string) iter.Seq2[*line, error] {
	return func(yield func(*line, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(nil, fmt.Errorf("telemetry: %w", err))
			return
		}
		defer f.Close()
		buffer := int64(maxLine)
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			buffer = min(buffer, info.Size()+1)
		}
		for r, l := bufio.NewReaderSize(f, int(buffer)), (&line{path: path}); ; {
			l.n++
			l.text, err = r.ReadSlice('\n')
			switch {
			case errors.Is(err, io.EOF) && len(l.text) == 0:
				return
			case errors.Is(err, io.EOF):
				l.cut = true
			case err != nil:
				yield(nil, l.wrap(err))
				return
			default:
				l.text = l.text[:len(l.text)-1]
			}
			if !yield(l, nil) || l.cut {
				return
			}
		}
	}
}
