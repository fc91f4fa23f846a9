package rego

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/bundle"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// A BundleKey is what the signatures of bundles are checked with.
type BundleKey struct {
	ID        string         // as key id of the signature; not empty
	Key       gateway.Secret // a public key or certificate in PEM, or a shared secret
	Algorithm string         // RS256 and the like: whatever the signature says
	Scope     string         // that the signature must name
}

// defaultPlugin is how OPA names its own way to sign.
const defaultPlugin = "_default"

// verify checks that the files are those of a signature by the key, all of them
// and no others.
func (k *BundleKey) verify(files map[string][]byte) error {
	if k.ID == "" { // OPA would take the key that the signature names
		return errors.New("signature: no key id is configured")
	}
	if err := k.expired(time.Now()); err != nil {
		return err
	}
	text, ok := files[signaturesFile]
	if !ok {
		return errors.New("it is not signed")
	}
	var signatures bundle.SignaturesConfig
	if err := json.Unmarshal(text, &signatures); err != nil {
		return fmt.Errorf("%s: %w", signaturesFile, err)
	}
	if signatures.Plugin != "" && signatures.Plugin != defaultPlugin {
		return fmt.Errorf("%s: plugins are not known here", signaturesFile)
	}
	config := bundle.NewVerificationConfig(map[string]*bundle.KeyConfig{
		k.ID: {Key: k.Key.Reveal(), Algorithm: k.Algorithm, Scope: k.Scope},
	}, k.ID, k.Scope, nil)
	signed, err := bundle.VerifyBundleSignature(signatures, config)
	if err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if name == signaturesFile {
			continue
		}
		if err := bundle.VerifyBundleFile(name, *bytes.NewBuffer(files[name]), signed); err != nil {
			return fmt.Errorf("signature: %w", err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(signed)) {
		return fmt.Errorf("signature: %s is signed, but not there", name)
	}
	return nil
}

// expired refuses a certificate that does not hold at a time. OPA takes its key
// whatever its dates say.
func (k *BundleKey) expired(now time.Time) error {
	block, _ := pem.Decode([]byte(k.Key.Reveal()))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil
	}
	c, err := x509.ParseCertificate(block.Bytes)
	switch {
	case err != nil:
		return fmt.Errorf("signature: the certificate of key %s: %w", k.ID, err)
	case now.After(c.NotAfter):
		return fmt.Errorf("signature: the certificate of key %s expired on %s", k.ID, c.NotAfter.UTC().Format(time.DateOnly))
	case now.Before(c.NotBefore):
		return fmt.Errorf("signature: the certificate of key %s holds from %s", k.ID, c.NotBefore.UTC().Format(time.DateOnly))
	}
	return nil
}
