package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/attache-gateway/attache/extproc/auth"
	"github.com/attache-gateway/attache/extproc/config"
)

// keys makes, lists and revokes the keys of callers.
func (p *Program) keys(_ context.Context, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%w: say new, list or revoke", errUsage)
	}
	run, ok := map[string]func([]string) error{"new": p.newKey, "list": p.listKeys, "revoke": p.revokeKey}[args[0]]
	if !ok {
		return fmt.Errorf("%w: %q is not new, list or revoke", errUsage, args[0])
	}
	return run(args[1:])
}

// keyFile returns the file with the keys of a configuration.
func (p *Program) keyFile(file string) (string, error) {
	c, err := p.loadOffline(file)
	if err != nil {
		return "", err
	}
	if !c.Auth.Has(config.AuthKeys) {
		return "", errors.New("this configuration asks for no keys: auth.mode is not keys")
	}
	return c.Auth.File, nil
}

func (p *Program) newKey(args []string) error {
	f := p.flags("keys new")
	file := f.String("c", "", "configuration `file`")
	var owner auth.Key
	f.StringVar(&owner.Name, "name", "", "what the key is for")
	f.StringVar(&owner.Org, "org", "", "organisation of the caller")
	f.StringVar(&owner.Team, "team", "", "team of the caller")
	f.StringVar(&owner.User, "user", "", "name of the caller")
	roles := f.String("roles", "", "roles of the caller, with commas between them")
	models := f.String("models", "", "patterns of the models that it may use, with commas between them; all by default")
	labels := f.String("labels", "", "labels for policies, as tier=free,region=eu")
	expires := f.Duration("expires", 0, "how long the key is good, as 720h; for ever by default")
	if err := parse(f, args); err != nil {
		return err
	}
	path, err := p.keyFile(*file)
	if err != nil {
		return err
	}
	owner.Roles, owner.Models = split(*roles), split(*models)
	if owner.Labels, err = splitLabels(*labels); err != nil {
		return err
	}
	now := time.Now()
	if *expires != 0 {
		owner.Expires = now.Add(*expires).UTC().Truncate(time.Second)
	}
	text, key, err := auth.New(owner, now, rand.Reader)
	if err != nil {
		return err
	}
	if err := auth.Add(path, key); err != nil {
		return err
	}
	fmt.Fprintf(p.Stderr, "%s: this is the only time that the key is shown\n", key.ID)
	fmt.Fprintln(p.Stdout, text.Reveal())
	return nil
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func splitLabels(s string) (map[string]string, error) {
	labels := map[string]string{}
	for _, pair := range split(s) {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%w: a label is written name=value", errUsage)
		}
		labels[name] = value
	}
	return labels, nil
}

func (p *Program) listKeys(args []string) error {
	f := p.flags("keys list")
	file := f.String("c", "", "configuration `file`")
	asJSON := f.Bool("json", false, "print JSON")
	if err := parse(f, args); err != nil {
		return err
	}
	path, err := p.keyFile(*file)
	if err != nil {
		return err
	}
	keys, err := auth.List(path)
	if err != nil {
		return err
	}
	if *asJSON {
		return json.NewEncoder(p.Stdout).Encode(keys)
	}
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tTEAM\tUSER\tCREATED\tSTATE")
	for _, k := range keys {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Name, k.Team, k.User, k.Created.Format(time.DateOnly), state(k, time.Now()))
	}
	return w.Flush()
}

func state(k auth.Key, now time.Time) string {
	switch {
	case !k.Revoked.IsZero():
		return "revoked " + k.Revoked.Format(time.DateOnly)
	case k.Expires.IsZero():
		return "good"
	case k.Expires.After(now):
		return "good until " + k.Expires.Format(time.DateOnly)
	}
	return "expired " + k.Expires.Format(time.DateOnly)
}

func (p *Program) revokeKey(args []string) error {
	f := p.flags("keys revoke")
	file := f.String("c", "", "configuration `file`")
	id := f.String("id", "", "the key's `ID`, as keys list shows it")
	if err := parse(f, args); err != nil {
		return err
	}
	path, err := p.keyFile(*file)
	if err != nil {
		return err
	}
	if err := auth.Revoke(path, *id, time.Now()); err != nil {
		return err
	}
	fmt.Fprintf(p.Stdout, "%s is revoked\n", *id)
	return nil
}
