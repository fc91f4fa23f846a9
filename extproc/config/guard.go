package config

import (
	"encoding/json"
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"
)

// When a guard looks at a request or a response.
const (
	Always = "always"
	Asked  = "asked" // if the policy asks for it
)

// How a guard looks at a stream.
const (
	Window = "window" // text goes out as soon as no match can begin in it any more
	Full   = "full"   // all goes out at the end
)

// MaxHold bounds what of a stream is held back, in bytes. It is what the client
// waits for, so that longer matches want a guard that sees all.
const MaxHold = 512

// A Guard is a plugin that checks text.
type Guard struct {
	Name     string
	WASM     string // path of the module
	SHA256   string // of the module, in lower-case hex
	Config   json.RawMessage
	Input    bool   // it looks at requests
	Output   bool   // it looks at responses
	Run      string // Always or Asked
	Stream   string // Window or Full
	Hold     int    // bytes of a stream that are held back, the longest match that is seen whole; 0: what the module says, or 64
	OnError  string // Allow or Deny: what happens if the guard fails
	Deadline time.Duration
	Memory   int64 // bytes
}

func (r *reader) guard(c *Config, v value) {
	g := Guard{Config: emptyObject, Run: Always, Stream: Window, OnError: Deny, Deadline: 50 * time.Millisecond, Memory: 32 << 20}
	r.object(v, map[string]field{
		"name":      r.string(&g.Name),
		"wasm":      r.string(&g.WASM),
		"sha256":    parsed(r, &g.SHA256, parseSHA256),
		"on":        func(v value) { r.sides(&g, v) },
		"run":       r.choice(&g.Run, Always, Asked),
		"stream":    r.choice(&g.Stream, Window, Full),
		"hold":      r.integer(&g.Hold, 1, MaxHold),
		"config":    r.json(&g.Config),
		"on_error":  r.choice(&g.OnError, Deny, Allow),
		"deadline":  r.duration(&g.Deadline, time.Millisecond, time.Minute),
		"memory":    r.size(&g.Memory, 64<<10, 1<<30),
		"builtin":   nil,
		"action":    nil,
		"isolation": nil,
	})
	for _, name := range [...]string{"name", "wasm", "sha256"} {
		r.missing(join(v.path, name), "is missing")
	}
	if _, said := r.lines[join(v.path, "on")]; !said {
		g.Input = true
	}
	for _, name := range [...]string{"stream", "hold"} {
		at := join(v.path, name)
		switch _, said := r.lines[at]; {
		case !said:
		case !g.Output:
			r.problem(at, "is for guards with output in on")
		case name == "hold" && g.Stream == Full:
			r.problem(at, "is for guards with stream: window; others hold everything")
		}
	}
	c.Guards = append(c.Guards, g)
}

// sides reads what a guard looks at.
func (r *reader) sides(g *Guard, v value) {
	r.list(func(v value) {
		var side string
		r.choice(&side, "input", "output")(v)
		g.Input, g.Output = g.Input || side == "input", g.Output || side == "output"
	})(v)
	if v.node.Kind == yaml.SequenceNode && len(v.node.Content) == 0 {
		r.problem(v.path, "must have input, output or both")
	}
}

func (r *reader) checkGuards(guards []Guard) {
	seen := map[string]bool{}
	for i, g := range guards {
		at := fmt.Sprintf("guards[%d].name", i)
		switch {
		case g.Name == "":
		case !guardName.MatchString(g.Name):
			r.problem(at, "may have lower-case letters, digits, dashes and underscores, 63 at most")
		case seen[g.Name]:
			r.problem(at, "another guard has this name")
		}
		seen[g.Name] = true
	}
}
