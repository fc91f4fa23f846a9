package cli

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/attache-gateway/attache/extproc/rego"
	"github.com/attache-gateway/attache/extproc/telemetry"
)

// logFlag adds the flag --log.
func logFlag(f *flag.FlagSet) *string {
	return f.String("log", "", "`file` with the log of decisions; that of the configuration by default")
}

// sinceFlag adds the flag --since.
func sinceFlag(f *flag.FlagSet) *time.Duration {
	return f.Duration("since", 0, "how far to look back in the log, as 1h; all of it by default")
}

// logs returns the files of the log of decisions, the oldest first.
func (b *ruleBook) logs(path string) ([]string, error) {
	if path == "" && b.config != nil {
		path = b.config.Telemetry.Decisions.File
	}
	if path == "" {
		return nil, fmt.Errorf("%w: name the log of decisions by --log; the configuration has none", errUsage)
	}
	files, err := telemetry.Files(path)
	if err == nil && len(files) == 0 {
		err = errors.New(path + " is not there")
	}
	return files, err
}

// recorded returns what rules saw of a request, or why they cannot be asked
// about it again.
func recorded(e *telemetry.Event, policies ...*rego.Policy) (s rego.Sight, why string) {
	if e.Input == nil {
		return s, "what the rules saw is not in the log (telemetry: {decisions: {content: projected}})"
	}
	s, err := rego.ReadSight(e.Input)
	if err != nil {
		return s, "its input cannot be read"
	}
	var gone []string
	for _, pointers := range [][]string{e.Erased, e.Masked} {
		for _, p := range pointers {
			if field, ok := strings.CutPrefix(p, "/input/"); ok {
				gone = append(gone, strings.ReplaceAll(field, "/", "."))
			}
		}
	}
	for _, p := range policies {
		if path := p.Lacks(s, gone); path != "" {
			return s, "it lacks input." + path
		}
	}
	return s, ""
}
