package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/attache-gateway/attache/extproc/config"
	"github.com/attache-gateway/attache/extproc/gateway"
)

// A saying is a plugin that says something of itself.
type saying struct {
	match  int
	phases []gateway.Phase // nil: all
}

func (s saying) MaxMatch() int { return s.match }
func (s saying) Takes(p gateway.Phase) bool {
	return s.phases == nil || slices.Contains(s.phases, p)
}

// TestSuits: a plugin that says what it cannot do is not configured to do it.
func TestSuits(t *testing.T) {
	in, out := config.Guard{Input: true, Stream: config.Window}, config.Guard{Output: true, Stream: config.Window}
	full, hold := config.Guard{Output: true, Stream: config.Full}, config.Guard{Output: true, Stream: config.Window, Hold: 512}
	requests, whole := []gateway.Phase{gateway.PhaseRequest}, []gateway.Phase{gateway.PhaseResponse}
	for _, tt := range []struct {
		name string
		saying
		guard config.Guard
		want  string
	}{
		{"says nothing", saying{}, out, ""},
		{"requests", saying{phases: requests}, in, ""},
		{"requests alone", saying{phases: requests}, out, "on must be [input]"},
		{"responses alone", saying{phases: whole}, in, "on must be [output]"},
		{"whole ones alone", saying{phases: whole}, out, "say stream: full"},
		{"whole ones", saying{phases: whole}, full, ""},
		{"short", saying{match: 512}, out, ""},
		{"long", saying{match: 513}, out, "up to 513 bytes"},
		{"long, all held", saying{match: 16 << 10}, full, ""},
		{"long, but so be it", saying{match: 16 << 10}, hold, ""},
		{"long, of requests", saying{match: 16 << 10}, in, ""},
	} {
		err := suits(tt.saying, &tt.guard)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}
