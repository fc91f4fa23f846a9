package envoytest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// ErrNotInstalled means that there is no Envoy of the wanted version: `make envoy` installs it.
var ErrNotInstalled = errors.New("envoy is not installed: run make envoy")

// Find returns the path of the Envoy binary for version, "1.40" or "1.39": what the environment variable
// ATTACHE_ENVOY_140 or ATTACHE_ENVOY_139 says, else the newest patch release below .cache in the repository.
func Find(version string) (string, error) {
	if path := os.Getenv("ATTACHE_ENVOY_" + strings.ReplaceAll(version, ".", "")); path != "" {
		return path, nil
	}
	root, err := repository()
	if err != nil {
		return "", err
	}
	installed, err := filepath.Glob(filepath.Join(root, ".cache", "envoy-"+version+".*", "envoy"))
	if err != nil {
		return "", err
	}
	if len(installed) == 0 {
		return "", fmt.Errorf("envoytest: version %s: %w", version, ErrNotInstalled)
	}
	return slices.MaxFunc(installed, func(a, b string) int { // 1.40.10 is newer than 1.40.9
		return cmp.Or(len(a)-len(b), strings.Compare(a, b))
	}), nil
}

// repository is the closest folder above the working directory that holds go.mod.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("envoytest: no repository around the working directory: %w", ErrNotInstalled)
		}
		dir = parent
	}
}

// Validate loads config in Envoy without serving, and returns Envoy's objection.
func Validate(ctx context.Context, version string, config []byte) error {
	binary, err := Find(version)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp("", "envoy*.yaml")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if _, err := file.Write(config); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	output, err := exec.CommandContext(ctx, binary, "--mode", "validate", "--config-path", file.Name(),
		"--log-level", "error").CombinedOutput()
	if err != nil {
		return fmt.Errorf("envoytest: validate: %w\n%s", err, output)
	}
	return nil
}
