package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/attache-gateway/attache/extproc/config"
	"github.com/attache-gateway/attache/extproc/fetch"
	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/rego"
)

// open returns the files of a source.
func (h *policyHistory) open(ctx context.Context, s *config.Source) (fs.FS, error) {
	if s.Bundle == nil {
		if _, err := os.Stat(s.Dir); err != nil {
			return nil, fmt.Errorf("policy: %w", err)
		}
		return os.DirFS(s.Dir), nil
	}
	archives, err := h.archives(ctx, s)
	if err != nil {
		return nil, err
	}
	key, err := keyOf(s.Bundle)
	if err != nil {
		return nil, err
	}
	return rego.OpenBundles(archives, key)
}

// archives returns a bundle, or all of a directory, by name.
func (h *policyHistory) archives(ctx context.Context, s *config.Source) (map[string][]byte, error) {
	b := s.Bundle
	if b.URL != "" {
		var fetched *downloads
		if h != nil {
			fetched = &h.fetched
		}
		archive, err := fetched.get(ctx, b)
		return map[string][]byte{s.String(): archive}, err
	}
	paths := []string{b.File}
	info, err := os.Stat(b.File)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	if info.IsDir() {
		if paths, err = filepath.Glob(filepath.Join(b.File, "[^.]*.tar.gz")); err != nil {
			return nil, fmt.Errorf("policy: %w", err)
		}
		if len(paths) == 0 {
			return nil, fmt.Errorf("policy: there is no bundle *.tar.gz in %s", b.File)
		}
	}
	archives := map[string][]byte{}
	for _, path := range paths {
		if archives[filepath.Base(path)], err = readBounded(path, maxBundle); err != nil {
			return nil, fmt.Errorf("policy: %w", err)
		}
	}
	return archives, nil
}

// maxBundle bounds the file of a bundle, maxKeyFile that of its key, in bytes.
const (
	maxBundle  = 32 << 20
	maxKeyFile = 1 << 20
)

func readBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s: more than %d bytes", path, most)
	}
	return b, err
}

// keyOf returns the key that a bundle has to be signed with, nil: none.
func keyOf(b *config.Bundle) (*rego.BundleKey, error) {
	if b.KeyID == "" {
		return nil, nil
	}
	key := &rego.BundleKey{ID: b.KeyID, Key: b.Key, Algorithm: b.Algorithm, Scope: b.Scope}
	if b.KeyFile != "" {
		text, err := readBounded(b.KeyFile, maxKeyFile)
		if err != nil {
			return nil, fmt.Errorf("policy: %w", err)
		}
		key.Key = gateway.NewSecret(string(text))
	}
	return key, nil
}

// downloads are the bundles that were fetched, by what the configuration says of
// them. A bundle is fetched once and then polled for.
type downloads struct {
	mu  sync.Mutex
	all map[config.Bundle]*download
}

// A download is what a server had last.
type download struct {
	source  *fetch.Source
	polling sync.Mutex // of the source

	mu      sync.Mutex
	archive []byte // nil: none came yet
	err     error  // of the latest look
}

// firstBundleTime bounds the wait for a bundle when nothing of it is there yet.
const firstBundleTime = 10 * time.Second

// get returns a bundle as it came last. Only the first time it is fetched.
func (d *downloads) get(ctx context.Context, b *config.Bundle) ([]byte, error) {
	one, err := d.of(b)
	if err != nil {
		return nil, err
	}
	if archive, _ := one.state(); archive != nil {
		return archive, nil
	}
	if !one.polling.TryLock() { // somebody looks for it already
		_, err := one.state()
		return nil, errors.Join(errors.New("policy: the bundle has not come yet"), err)
	}
	defer one.polling.Unlock()
	ctx, cancel := context.WithTimeout(ctx, firstBundleTime)
	defer cancel()
	archive, err := one.source.Get(ctx)
	if err == nil && archive == nil {
		err = errors.New("policy: the server has nothing")
	}
	one.put(archive, err)
	return archive, err
}

func (d *downloads) of(b *config.Bundle) (*download, error) {
	source, err := fetch.New(fetch.Options{URL: b.URL, User: b.User, Token: b.Token, Poll: b.Poll, LongPoll: b.LongPoll})
	if err != nil || d == nil {
		return &download{source: source}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all[*b] == nil {
		if d.all == nil {
			d.all = map[config.Bundle]*download{}
		}
		d.all[*b] = &download{source: source}
	}
	return d.all[*b], nil
}

// trouble says why the latest look for a bundle gave none; empty: it gave one.
func (d *downloads) trouble(b *config.Bundle) string {
	if b == nil {
		return ""
	}
	d.mu.Lock()
	one := d.all[*b]
	d.mu.Unlock()
	if one == nil {
		return ""
	}
	if _, err := one.state(); err != nil {
		return err.Error()
	}
	return ""
}

// keep forgets all bundles but those of a configuration.
func (d *downloads) keep(bundles []*config.Bundle) {
	d.mu.Lock()
	defer d.mu.Unlock()
	kept := map[config.Bundle]*download{}
	for _, b := range bundles {
		if one := d.all[*b]; one != nil {
			kept[*b] = one
		}
	}
	d.all = kept
}

func (d *download) state() ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.archive, d.err
}

// put notes what a look gave. It reports whether that is another state than
// before: something new, the first failure, or the first look that went well.
func (d *download) put(archive []byte, err error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	news := archive != nil || (err == nil) != (d.err == nil)
	d.err = err
	if archive != nil {
		d.archive = archive
	}
	return news
}

// fetchedOf are the bundles of a policy that are fetched.
func fetchedOf(p *config.Policy) (all []*config.Bundle) {
	for _, b := range []*config.Bundle{p.Bundle, p.Shadow.Bundle} {
		if b != nil && b.URL != "" {
			all = append(all, b)
		}
	}
	return all
}

// poll looks for newer bundles until ctx ends, and calls changed when there is
// one. It returns when all has ended.
func (s *service) poll(ctx context.Context, bundles []*config.Bundle, changed func()) {
	var polling sync.WaitGroup
	defer polling.Wait()
	for _, b := range bundles {
		one, err := s.policies.fetched.of(b)
		if err != nil {
			s.log.Error("a bundle cannot be polled for", "error", err)
			continue
		}
		polling.Go(func() {
			one.polling.Lock()
			defer one.polling.Unlock()
			one.source.Run(ctx, func(archive []byte, err error) {
				news := one.put(archive, err)
				switch {
				case err != nil:
					s.policies.missed()
					s.metrics.PolicyMissed(string(fetch.KindOf(err)))
					if news {
						s.log.Error("a bundle cannot be fetched, what is in force stays", "error", err)
					}
				case archive != nil:
					changed()
				case news:
					s.log.Info("bundles can be fetched again")
				}
			})
		})
	}
}
