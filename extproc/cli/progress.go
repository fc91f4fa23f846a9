package cli

import (
	"fmt"
	"io"
	"os"
	"time"
)

// A progress shows on a terminal how far long work has come, and nothing
// anywhere else.
type progress struct {
	w    io.Writer // nil: there is no terminal
	what string
	n    int
	next time.Time
}

// progressEvery is how often a progress shows.
const progressEvery = 200 * time.Millisecond

func (p *Program) progress(what string) *progress {
	g := &progress{what: what, next: time.Now().Add(progressEvery)}
	if f, ok := p.Stderr.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			g.w = f
		}
	}
	return g
}

func (g *progress) step() {
	g.n++
	if g.w == nil || time.Now().Before(g.next) {
		return
	}
	g.next = time.Now().Add(progressEvery)
	fmt.Fprintf(g.w, "\r%d %s", g.n, g.what)
}

// end clears the line.
func (g *progress) end() {
	if g.w != nil {
		fmt.Fprint(g.w, "\r\033[K")
	}
}
