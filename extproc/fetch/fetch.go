// Package fetch gets archives from servers, over HTTP or from a registry of OCI
// artifacts, and looks for newer ones.
//
// It does not know what is in an archive, nor whether it is good: whoever asks
// for it has to verify it.
package fetch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// maxArchive bounds an archive as it is fetched, in bytes.
const maxArchive = 32 << 20

// fetchTime bounds one look, besides the time that a server is asked to hold it.
const fetchTime = 30 * time.Second

// Options say what to fetch.
type Options struct {
	URL      string         // https://, http:// or oci://REGISTRY/REPOSITORY:TAG
	User     string         // of a registry
	Token    gateway.Secret // Authorization: Bearer for HTTP; the password for a registry
	Poll     time.Duration  // between two looks
	LongPoll time.Duration  // how long a server may hold a look; 0: not at all
}

// A Source is one archive somewhere else. Its methods are not for several
// goroutines at once.
type Source struct {
	Options
	origin origin
	sum    [sha256.Size]byte // of the archive that was returned last
	have   bool              // there is one
}

// An origin is a kind of server.
type origin interface {
	// get returns the archive, nil if it is the same as at the call before. held
	// reports that the server waited for something new to come.
	get(ctx context.Context) (archive []byte, held bool, err error)
}

// New returns a Source. Nothing is fetched yet.
func New(o Options) (*Source, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, errors.New("fetch: the URL cannot be read")
	}
	s := &Source{Options: o}
	if u.Scheme == "oci" {
		s.origin, err = newRegistry(u, &o)
	} else {
		s.origin = newServer(u, &o)
	}
	return s, err
}

// Get returns the archive, nil if it is the one that was returned last.
func (s *Source) Get(ctx context.Context) ([]byte, error) {
	b, _, err := s.get(ctx)
	return b, err
}

func (s *Source) get(ctx context.Context) ([]byte, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime+s.LongPoll)
	defer cancel()
	b, held, err := s.origin.get(ctx)
	if err != nil || b == nil {
		return nil, held, err
	}
	sum := sha256.Sum256(b)
	if s.have && sum == s.sum {
		return nil, held, nil
	}
	s.sum, s.have = sum, true
	return b, held, nil
}

// Run looks again and again until ctx ends. got takes what each look gave: what is
// new, or why nothing could be fetched, or neither.
func (s *Source) Run(ctx context.Context, got func(archive []byte, err error)) {
	failures := 0
	held := false
	for {
		timer := time.NewTimer(s.pause(failures, held))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		var b []byte
		var err error
		b, held, err = s.get(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failures++
		default:
			failures = 0
		}
		got(b, err)
	}
}

// pause is the time to the next look. It varies, so that many gateways which were
// started at once do not look at once; after failures it grows from a second.
func (s *Source) pause(failures int, held bool) time.Duration {
	d := s.Poll
	switch {
	case failures > 0:
		d = min(d, time.Second<<min(failures-1, 20))
	case held:
		d = min(d, time.Second)
	}
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

// A server speaks HTTP as OPA's bundle servers do: an ETag says which archive is
// known, and a server that can hold a look until there is a newer one. (OPA,
// Bundle Service API.)
type server struct {
	name   string // without what could be secret
	url    string
	token  gateway.Secret
	wait   time.Duration
	client *http.Client
	etag   string
}

// longPolls is what a server says that it is if it can hold a look.
const longPolls = "application/vnd.openpolicyagent.bundles"

func newServer(u *url.URL, o *Options) *server {
	return &server{
		name: u.Scheme + "://" + u.Host + u.Path, url: o.URL, token: o.Token, wait: o.LongPoll,
		client: &http.Client{CheckRedirect: downgrade},
	}
}

// downgrade refuses to leave TLS.
func downgrade(r *http.Request, via []*http.Request) error {
	if len(via) >= 5 {
		return errors.New("more than 5 redirects")
	}
	if via[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
		return errors.New("a redirect away from https")
	}
	return nil
}

func (s *server) get(ctx context.Context) ([]byte, bool, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, false, fmt.Errorf("fetch: %s: the URL cannot be used", s.name)
	}
	prefer := "modes=snapshot"
	if s.wait > 0 {
		prefer += fmt.Sprintf(";wait=%d", int64(s.wait.Seconds()))
	}
	r.Header.Set("Prefer", prefer)
	if s.etag != "" {
		r.Header.Set("If-None-Match", s.etag)
	}
	if !s.token.Empty() {
		r.Header.Set("Authorization", "Bearer "+s.token.Reveal())
	}
	begun := time.Now()
	response, err := s.client.Do(r)
	if err != nil {
		return nil, false, fmt.Errorf("fetch: %s: %w", s.name, bare(err))
	}
	defer response.Body.Close()
	holds := s.wait > 0 && response.Header.Get("Content-Type") == longPolls
	switch response.StatusCode {
	case http.StatusNotModified: // at once: it does not hold after all
		return nil, holds && time.Since(begun) > s.wait/2, nil
	case http.StatusOK:
	default:
		return nil, false, fmt.Errorf("fetch: %s: %w", s.name, statusError(response.StatusCode))
	}
	b, err := readAll(response.Body)
	if err != nil {
		return nil, false, fmt.Errorf("fetch: %s: %w", s.name, err)
	}
	s.etag = response.Header.Get("ETag")
	return b, holds, nil
}

// bare is an error of the HTTP client without the URL, whose query may be secret.
func bare(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

func readAll(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxArchive+1))
	if err == nil && len(b) > maxArchive {
		err = invalidf("more than %d bytes", maxArchive)
	}
	return b, err
}

// reference is REGISTRY/REPOSITORY:TAG.
func reference(u *url.URL) string { return strings.TrimSuffix(u.Host+u.Path, "/") }
