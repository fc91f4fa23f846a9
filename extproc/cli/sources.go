package cli

import (
	"context"
	"fmt"
	"io/fs"
	"os"

	"github.com/attache-gateway/attache/extproc/config"
)

type sources struct{}

// open returns the files of a source.
func (h *policyHistory) open(ctx context.Context, s *config.Source) (fs.FS, error) {
	if _, err := os.Stat(s.Dir); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	return os.DirFS(s.Dir), nil
}
