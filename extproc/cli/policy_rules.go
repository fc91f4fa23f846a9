package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/attache-gateway/attache/extproc/config"
	"github.com/attache-gateway/attache/extproc/rego"
)

// A ruleBook is the rules that a command is about: those of a configuration, of
// a directory, or of a directory with the settings of a configuration.
type ruleBook struct {
	name    string         // for people
	config  *config.Config // nil: none was named
	options rego.Options
}

// rulesArgs say which rules.
const rulesArgs = "[-c FILE] [DIR]"

// ruleFlags adds the flag -c.
func ruleFlags(f *flag.FlagSet) *string {
	return f.String("c", "", "configuration `file`; its settings hold for a directory as well")
}

// parseMixed reads flags, which may stand behind other words, and returns these:
// most of them at the most.
func parseMixed(f *flag.FlagSet, args []string, most int) (words []string, err error) {
	for len(args) > 0 {
		if err := f.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, fmt.Errorf("%w: %w", errUsage, err)
		}
		if args = f.Args(); len(args) > 0 {
			words, args = append(words, args[0]), args[1:]
		}
	}
	if len(words) > most {
		return nil, fmt.Errorf("%w: unexpected %q", errUsage, words[most])
	}
	return words, nil
}

// ruleBook finds the rules that -c and the words of a command name.
func (p *Program) ruleBook(ctx context.Context, file string, words []string) (*ruleBook, error) {
	b := &ruleBook{name: file}
	if file == "" && len(words) == 0 {
		return nil, fmt.Errorf("%w: name the directory of the rules, or the configuration by -c", errUsage)
	}
	c := config.Default()
	if file != "" {
		var err error
		if c, err = p.loadOffline(file); err != nil {
			return nil, err
		}
		b.config = c
	}
	if len(words) > 0 {
		c.Policy.Source, b.name = config.Source{Dir: words[0]}, words[0]
	}
	if c.Policy.Empty() {
		return nil, errors.New("this configuration names no rules: policy has neither dir nor bundle")
	}
	b.options = optionsOf(c, slog.New(slog.DiscardHandler))
	var err error
	b.options.FS, err = (*policyHistory)(nil).open(ctx, &c.Policy.Source)
	return b, err
}

// candidate is the same book with the rules of another directory, or where none
// is named with those of the configuration's candidate.
func (b *ruleBook) candidate(ctx context.Context, dir string) (*ruleBook, error) {
	source := config.Source{Dir: dir}
	if dir == "" && b.config != nil {
		source = b.config.Policy.Shadow.Source
	}
	if source.Empty() {
		return nil, fmt.Errorf("%w: --candidate is missing, and the configuration has none under policy.shadow", errUsage)
	}
	other := *b
	var err error
	other.options.FS, err = (*policyHistory)(nil).open(ctx, &source)
	return &other, err
}

// maxInput bounds a file with an input, in bytes.
const maxInput = 64 << 20

// readInput reads a file, or the standard input for -.
func (p *Program) readInput(name string) ([]byte, error) {
	from := p.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		from = f
	}
	b, err := io.ReadAll(io.LimitReader(from, maxInput+1))
	if err == nil && len(b) > maxInput {
		err = fmt.Errorf("%s has more than %d bytes", name, maxInput)
	}
	return b, err
}
