package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// A file is the JSON that keys are kept in.
type file struct {
	Version int   `json:"version"`
	Keys    []Key `json:"keys"`
}

const (
	version = 1
	maxFile = 64 << 20 // bytes; room for about 200,000 keys
)

// Load reads the keys of a file.
func Load(path string) (*Keyring, error) {
	keys, err := List(path)
	if err != nil {
		return nil, err
	}
	r := &Keyring{keys: make(map[slot]entry, len(keys))}
	for i := range keys {
		e := keys[i].entry()
		r.keys[slot(e.hash[:])] = e
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		r.warning = fmt.Sprintf("%s can be read by other users (mode %04o); 0600 is enough", path, info.Mode().Perm())
	}
	return r, nil
}

// List returns the keys of a file, in the order in which they were added.
func List(path string) ([]Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("auth: read: %w", err)
	}
	keys, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("auth: %s: %w", path, err)
	}
	return keys, nil
}

// decode reads a file strictly: a field that it does not know may be a limit
// that it would not keep.
func decode(data []byte) ([]Key, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("larger than %d bytes", maxFile)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var f file
	if err := d.Decode(&f); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the keys")
	}
	if f.Version != version {
		return nil, fmt.Errorf("version %d, want %d", f.Version, version)
	}
	return f.Keys, check(f.Keys)
}

// check looks at keys one by one and together.
func check(keys []Key) error {
	ids := make(map[string]bool, len(keys))
	slots := make(map[slot]string, len(keys))
	for i := range keys {
		k := &keys[i]
		if err := k.check(); err != nil {
			return err
		}
		e := k.entry()
		s := slot(e.hash[:])
		switch {
		case ids[k.ID]:
			return fmt.Errorf("two keys have the id %s", k.ID)
		case slots[s] != "":
			return fmt.Errorf("keys %s and %s have the same sha256", slots[s], k.ID)
		}
		ids[k.ID], slots[s] = true, k.ID
	}
	return nil
}

// Add appends a key to a file, and makes the file if there is none.
func Add(path string, k Key) error {
	return update(path, func(keys []Key) ([]Key, error) {
		return append(keys, k), nil
	})
}

// Revoke marks the key with an id as revoked. One that already is stays as it
// was.
func Revoke(path, id string, now time.Time) error {
	return update(path, func(keys []Key) ([]Key, error) {
		i := slices.IndexFunc(keys, func(k Key) bool { return k.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("auth: %s has no key with the id %q", path, id)
		}
		if keys[i].Revoked.IsZero() {
			keys[i].Revoked = now.UTC().Truncate(time.Second)
		}
		return keys, nil
	})
}

// update changes a file under a lock that other writers respect. Readers see
// the old file or the new one.
func update(path string, change func([]Key) ([]Key, error)) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("auth: %w", err)
	}
	unlock, err := lock(path + ".lock")
	if err != nil {
		return err
	}
	defer unlock()
	keys, err := List(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if keys, err = change(keys); err != nil {
		return err
	}
	if err := check(keys); err != nil {
		return fmt.Errorf("auth: %w", err)
	}
	data, err := json.MarshalIndent(file{version, keys}, "", "  ")
	if err != nil {
		return fmt.Errorf("auth: %w", err)
	}
	if err := replace(path, append(data, '\n')); err != nil {
		return fmt.Errorf("auth: write: %w", err)
	}
	return nil
}

// lock takes a lock that ends with the process, so that none is left behind by
// a crash. The lock file stays, for whoever waits on it holds that one.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("auth: lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("auth: lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}

// replace writes a file next to the old one and takes its place, so that a
// crash leaves one of the two, whole.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // of no effect after the rename
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
