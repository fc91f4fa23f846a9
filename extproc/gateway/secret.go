package gateway

import "log/slog"

// A Secret is a credential. It prints as a placeholder, whatever prints it.
type Secret struct{ value string }

const redacted = "[secret]"

// NewSecret wraps a credential.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal returns the credential. Its callers are the places to watch.
func (s Secret) Reveal() string { return s.value }

// Empty reports whether there is no credential.
func (s Secret) Empty() bool { return s.value == "" }

func (s Secret) String() string { return redacted }

// GoString keeps %#v from printing the credential.
func (s Secret) GoString() string { return redacted }

// LogValue keeps it out of logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps it out of JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
