package auth

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// Prefix begins every key, so that people and scanners for leaked secrets know
// one when they see it.
const Prefix = "sk-attache-"

// keyLen is the length of a key's text.
const keyLen = len(Prefix) + 52

// A Key is what is kept of a key, and whose it is.
type Key struct {
	ID      string            `json:"id"`
	Hash    string            `json:"sha256"` // of the whole text, in hex
	Name    string            `json:"name,omitempty"`
	Org     string            `json:"org,omitempty"`
	Team    string            `json:"team,omitempty"`
	User    string            `json:"user,omitempty"`
	Roles   []string          `json:"roles,omitempty"`
	Labels  map[string]string `json:"labels,omitempty"`
	Models  []string          `json:"models,omitempty"` // patterns, as in path.Match; none: all models
	Created time.Time         `json:"created"`
	Expires time.Time         `json:"expires,omitzero"` // zero: never
	Revoked time.Time         `json:"revoked,omitzero"` // zero: not
}

// Lower-case letters and digits survive shells, URLs and double clicks.
var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// New makes a key for an owner: the given Key without ID, Hash and Created. It
// reads 256 bits for the key and 80 for its ID from random. The text is shown
// to its owner once and kept nowhere.
func New(owner Key, now time.Time, random io.Reader) (gateway.Secret, Key, error) {
	var bits [32 + 10]byte
	if _, err := io.ReadFull(random, bits[:]); err != nil {
		return gateway.Secret{}, Key{}, fmt.Errorf("auth: random bits: %w", err)
	}
	text := Prefix + encoding.EncodeToString(bits[:32])
	hash := sha256.Sum256([]byte(text))
	k := owner
	k.ID = "key-" + encoding.EncodeToString(bits[32:])
	k.Hash = hex.EncodeToString(hash[:])
	k.Created = now.UTC().Truncate(time.Second)
	if err := k.check(); err != nil {
		return gateway.Secret{}, Key{}, fmt.Errorf("auth: %w", err)
	}
	return gateway.NewSecret(text), k, nil
}

// check looks for what would make a key useless or ambiguous.
func (k *Key) check() error {
	switch h, err := hex.DecodeString(k.Hash); {
	case k.ID == "":
		return errors.New("a key has no id")
	case err != nil || len(h) != sha256.Size:
		return fmt.Errorf("key %s: sha256 must be %d hex digits", k.ID, 2*sha256.Size)
	case k.Created.IsZero():
		return fmt.Errorf("key %s: created is missing", k.ID)
	case !k.Expires.IsZero() && !k.Expires.After(k.Created):
		return fmt.Errorf("key %s: expires before it is created", k.ID)
	}
	for _, p := range k.Models {
		if _, err := path.Match(p, ""); err != nil || p == "" {
			return fmt.Errorf("key %s: %q is no pattern of model names", k.ID, p)
		}
	}
	return nil
}

// entry is the key as the Keyring needs it. The key has been checked.
func (k *Key) entry() entry {
	e := entry{expires: k.Expires, revoked: !k.Revoked.IsZero(), caller: gateway.Caller{
		KeyID: k.ID, Org: k.Org, Team: k.Team, User: k.User, Roles: k.Roles, Labels: k.Labels, Models: k.Models,
	}}
	_, _ = hex.Decode(e.hash[:], []byte(k.Hash)) // it fits: check decoded it
	return e
}
