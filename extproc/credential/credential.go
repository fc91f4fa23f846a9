// Package credential proves to providers who we are: with keys, with AWS
// signatures, with access tokens of Google and Entra ID, or by leaving that to
// Envoy.
//
// What expires is fetched in the background and in good time, so that no
// request ever waits for it. The package finds credentials where the SDKs of
// the three clouds do, with their libraries. It knows nothing of the requests
// that it signs beyond their bytes, nor what happens to one that cannot be
// signed: that is package gateway.
package credential

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/attache-gateway/attache/extproc/gateway"
	"github.com/attache-gateway/attache/extproc/llm"
)

// A key is sent as it is. Its fields have names of their own to the outside
// because package fmt prints what is inside of others.
type key struct {
	Header, Prefix string
	Secret         gateway.Secret
}

// Key returns the credential that sends a key in a header, after a prefix.
func Key(header, prefix string, secret gateway.Secret) gateway.Credential {
	return &key{header, prefix, secret}
}

func (k *key) Names() []string { return []string{k.Header} }
func (*key) Ready() error      { return nil }
func (k *key) Headers(*gateway.Outgoing) ([]llm.Header, error) {
	return []llm.Header{{Name: k.Header, Value: k.Prefix + k.Secret.Reveal()}}, nil
}

// An injected credential is Envoy's to add, after the gateway has removed what
// an earlier attempt may have left behind.
type injected string

// Injected returns the credential that Envoy itself writes into a header.
func Injected(header string) gateway.Credential { return injected(header) }

func (h injected) Names() []string                               { return []string{string(h)} }
func (injected) Ready() error                                    { return nil }
func (injected) Headers(*gateway.Outgoing) ([]llm.Header, error) { return nil, nil }

// bearer is the header of an access token.
const bearer = "authorization"

func bearerOf(token string) signer {
	h := []llm.Header{{Name: bearer, Value: "Bearer " + token}}
	return func(*gateway.Outgoing) ([]llm.Header, error) { return h, nil }
}

// maxFile bounds a file with a key or with credentials, in bytes.
const maxFile = 1 << 20

// ReadKey reads a key from a file in which it stands alone, as Kubernetes
// mounts secrets. White space around it does not count.
func ReadKey(path string) (gateway.Secret, error) {
	data, err := readFile(path)
	if err != nil {
		return gateway.Secret{}, err
	}
	text := strings.TrimSpace(string(data))
	if text == "" {
		return gateway.Secret{}, fmt.Errorf("credential: %s is empty", path)
	}
	for _, c := range []byte(text) {
		if c <= ' ' || c > '~' {
			return gateway.Secret{}, fmt.Errorf("credential: %s has a character that a header cannot carry", path)
		}
	}
	return gateway.NewSecret(text), nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("credential: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errors.New("is too large")
	}
	if err != nil {
		return nil, fmt.Errorf("credential: %s: %w", path, err)
	}
	return data, nil
}
