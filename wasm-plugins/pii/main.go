// Command pii is a guard that finds e-mail addresses, numbers of payment cards
// and IBANs, and redacts them or refuses the request. See README.md.
package main

import (
	"errors"

	"github.com/attache-gateway/attache/wasm-plugins/sdk/go/guard"
)

func init() { guard.Register(configure, check) }

func main() {}

// An action is what is done about one kind.
type action uint8

const (
	redact action = iota
	block
	off
)

// actions has one for each kind; the zero value redacts all.
var actions [len(kinds)]action

func configure(config []byte) error {
	actions = [len(kinds)]action{}
	return guard.Options(config, func(name, value string) error {
		for k := range kinds {
			if kinds[k].option == name {
				return setAction(&actions[k], value)
			}
		}
		return errors.New("unknown option " + name + "; there are email, card and iban")
	})
}

func setAction(a *action, value string) error {
	switch value {
	case "redact":
		*a = redact
	case "block":
		*a = block
	case "off":
		*a = off
	default:
		return errors.New("unknown action " + value + "; there are redact, block and off")
	}
	return nil
}

// found is the memory of check.
var found []match

func check(in *guard.Input, v *guard.Verdict) {
	for i := range in.Segments {
		s := &in.Segments[i]
		if s.Kind == guard.ImageRef {
			continue // a URL or base64, where numbers mean nothing
		}
		found = scan(s.Text, found[:0])
		for _, m := range found {
			report(v, s.ID, m)
		}
	}
}

func report(v *guard.Verdict, segment uint32, m match) {
	k := &kinds[m.kind]
	switch actions[m.kind] {
	case off:
		return
	case block:
		v.Block(k.label, k.message)
	}
	v.Redact(guard.Span{Segment: segment, Start: m.start, End: m.end, Label: k.label})
	v.Label(k.label)
}
