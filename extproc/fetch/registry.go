package fetch

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/opencontainers/go-digest"
)

// maxManifest bounds a manifest, in bytes.
const maxManifest = 4 << 20

// A registry has archives as the one layer of an artifact, which is how the
// policy and oras commands push bundles. (OCI Distribution Specification 1.1.)
type registry struct {
	name   string
	tag    string // or digest
	remote *remote.Repository
	last   digest.Digest // of the manifest
}

func newRegistry(u *url.URL, o *Options) (*registry, error) {
	name := reference(u)
	repository, err := remote.NewRepository(name)
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	if repository.Reference.Reference == "" {
		return nil, fmt.Errorf("fetch: %s names no tag or digest", name)
	}
	repository.PlainHTTP = loopback(u.Hostname())
	client := &auth.Client{Client: &http.Client{CheckRedirect: downgrade}, Cache: auth.NewCache()}
	if !o.Token.Empty() {
		client.Credential = auth.StaticCredential(u.Host, auth.Credential{Username: o.User, Password: o.Token.Reveal()})
	}
	repository.Client = client
	return &registry{name: name, tag: repository.Reference.Reference, remote: repository}, nil
}

// loopback reports whether a registry is on this machine: those have no
// certificates, and need none.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (r *registry) get(ctx context.Context) ([]byte, bool, error) {
	b, err := r.pull(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("fetch: %s: %w", r.name, err)
	}
	return b, false, nil
}

func (r *registry) pull(ctx context.Context) ([]byte, error) {
	at, err := r.remote.Resolve(ctx, r.tag)
	if err != nil || at.Digest == r.last {
		return nil, err
	}
	if at.Size > maxManifest {
		return nil, invalidf("the manifest has %d bytes", at.Size)
	}
	text, err := content.FetchAll(ctx, r.remote, at) // checks size and digest
	if err != nil {
		return nil, err
	}
	var m ocispec.Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, invalidf("the manifest: %w", err)
	}
	if len(m.Layers) != 1 {
		return nil, invalidf("the artifact has %d layers, not one with the archive", len(m.Layers))
	}
	layer := m.Layers[0]
	if layer.Size > maxArchive {
		return nil, invalidf("the archive has %d bytes, more than %d", layer.Size, maxArchive)
	}
	b, err := content.FetchAll(ctx, r.remote, layer)
	if err != nil {
		return nil, err
	}
	r.last = at.Digest
	return b, nil
}
