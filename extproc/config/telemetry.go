package config

import (
	"errors"
	"fmt"
	"strings"
)

// Telemetry says what is told of the gateway's work, and to whom.
type Telemetry struct {
	Prometheus bool // GET /metrics on the admin address
	Decisions  Decisions
}

// Decisions say how the policy's decisions are logged.
type Decisions struct {
	File    string   // empty: none
	OTLP    string   // URL of a collector; empty: none
	Content string   // ContentNone or ContentProjected
	Sample  int64    // permille of the allowed requests
	Mask    []string // JSON pointers into events
	MaxSize int64    // bytes of one file
	Keep    int      // files that were put aside
}

// On reports whether decisions are logged.
func (d *Decisions) On() bool { return d.File != "" || d.OTLP != "" }

// What of a request stands in the event of a decision.
const (
	ContentNone      = "none"
	ContentProjected = "projected" // what the rules read
)

func defaultTelemetry() Telemetry {
	return Telemetry{Prometheus: true, Decisions: Decisions{Content: ContentNone, Sample: 1000, MaxSize: 100 << 20, Keep: 5}}
}

func (r *reader) telemetry(t *Telemetry, v value) {
	r.object(v, map[string]field{
		"decisions":  func(v value) { r.decisions(&t.Decisions, v) },
		"otlp":       nil,
		"prometheus": parsed(r, &t.Prometheus, parseBool),
	})
}

func (r *reader) decisions(d *Decisions, v value) {
	r.object(v, map[string]field{
		"file":     r.string(&d.File),
		"otlp":     parsed(r, &d.OTLP, parseURL),
		"content":  r.choice(&d.Content, ContentNone, ContentProjected),
		"sample":   parsed(r, &d.Sample, parseSample),
		"mask":     r.strings(&d.Mask),
		"max_size": r.size(&d.MaxSize, 2<<20, 1<<40),
		"keep":     r.integer(&d.Keep, 1, 1000),
	})
	if !d.On() && !r.wrong(v.path) && !r.wrong(v.path+".file") && !r.wrong(v.path+".otlp") {
		r.problem(v.path, "needs a file, otlp or both")
	}
	for i, p := range d.Mask {
		if p != "" && !isMask(p) { // what is empty was reported when it was read
			r.problem(fmt.Sprintf("%s.mask[%d]", v.path, i), "must be a JSON pointer below /input or /result, such as /input/user")
		}
	}
}

func isMask(pointer string) bool {
	for _, part := range [...]string{"/input", "/result"} {
		rest, ok := strings.CutPrefix(pointer, part)
		if ok && (rest == "" || rest[0] == '/') && !strings.Contains(strings.NewReplacer("~0", "", "~1", "").Replace(rest), "~") {
			return true
		}
	}
	return false
}

// parseSample is parsePercent for a share that may be nothing.
func parseSample(s string) (int64, error) {
	if s == "0%" {
		return 0, nil
	}
	n, err := parsePercent(s)
	if err != nil {
		return 0, errors.New("must be a percentage from 0% to 100%, such as 10% or 0.5%")
	}
	return n, nil
}
