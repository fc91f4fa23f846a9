package config

import (
	"fmt"
	"strings"
)

// A Problem is one thing that is wrong with a file.
type Problem struct {
	File    string
	Line    int    // from 1; 0: of no line
	Path    string // of the field, as providers.openai.key; empty: the file
	Message string // never holds a value
}

func (p Problem) String() string {
	s := p.File
	if p.Line > 0 {
		s = fmt.Sprintf("%s:%d", s, p.Line)
	}
	if p.Path != "" {
		s += ": " + p.Path
	}
	return s + ": " + p.Message
}

// An Error is all that is wrong with a file, in the order of its lines.
type Error struct{ Problems []Problem }

// Error returns one line for each problem.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}
