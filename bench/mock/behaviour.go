package mock

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Fault is one way to fail. A number, see Status, answers with that status
// and the dialect's error body.
type Fault string

const (
	Refuse             Fault = "refuse"               // nobody listens; only for a whole instance
	Reset              Fault = "reset"                // TCP reset instead of an answer
	ResetAfterHeaders  Fault = "reset-after-headers"  // headers, then a TCP reset
	StallBeforeHeaders Fault = "stall-before-headers" // silence until the client leaves
	StallAfterHeaders  Fault = "stall-after-headers"  // headers, then silence until the client leaves
	ErrorFirst         Fault = "error-first"          // status 200, and an error as the first event
	ErrorMid           Fault = "error-mid"            // an error event after half of the events, and the end
	Cut                Fault = "cut"                  // half of the events, then the connection closes inside the body
	EndEarly           Fault = "end-early"            // half of the events, then a proper end of the body
	LengthLong         Fault = "length-long"          // content-length announces more than comes
	LengthShort        Fault = "length-short"         // content-length announces less than comes
	Gzip               Fault = "gzip"                 // the body is compressed although nobody asked
	BadJSON            Fault = "bad-json"             // the body, or the event in the middle, is cut JSON
	HTML               Fault = "html"                 // a web page with status 200
)

// Faults lists every fault but the statuses.
var Faults = []Fault{
	Refuse, Reset, ResetAfterHeaders, StallBeforeHeaders, StallAfterHeaders, ErrorFirst, ErrorMid,
	Cut, EndEarly, LengthLong, LengthShort, Gzip, BadJSON, HTML,
}

// Status is the fault of answering with an error status.
func Status(code int) Fault { return Fault(strconv.Itoa(code)) }

// status is the code of a Status fault, 0 for another.
func (f Fault) status() int {
	code, _ := strconv.Atoi(string(f))
	return code
}

// Behaviour says how a provider answers. The zero value is a good provider.
//
// A request changes the behaviour of its instance by its model's name, as in
// "m@fault=stall-before-headers@gap=20ms", or by headers such as
// "x-mock-events: 100"; the names are those of Settings, and headers win.
// Parts of a model's name without "=" stay part of the name. The answer names
// the model as the request did.
type Behaviour struct {
	Fault      Fault
	Times      int           // only the first requests of the instance fail; 0 means all
	RetryAfter int           // seconds, in the header of a 429 (default 1) or another error status
	Delay      time.Duration // before the headers
	Gap        time.Duration // between the events of a stream, or the pieces of Chunks
	Events     int           // text events of a stream; 0 means one for each word
	Bytes      int           // length of the text, which is then filler
	Text       string        // what to say
	Replay     string        // name of the recording to answer with
	Chunks     Chunks        // how the body is cut on its way
}

// A Setting is one field of Behaviour as text.
type Setting struct {
	Name, Help string
	header     string
	set        func(*Behaviour, string) error
}

// Settings lists what the model's name, headers and flags can set.
var Settings = []Setting{
	setting("fault", "an error status, or one of the faults", (*Behaviour).setFault),
	number("times", "only the first N requests fail", 1e9, func(b *Behaviour) *int { return &b.Times }),
	number("retry-after", "seconds, for error statuses", 1e9, func(b *Behaviour) *int { return &b.RetryAfter }),
	duration("delay", "time before the headers", func(b *Behaviour) *time.Duration { return &b.Delay }),
	duration("gap", "time between the events of a stream", func(b *Behaviour) *time.Duration { return &b.Gap }),
	number("events", "text events of a stream", 1e6, func(b *Behaviour) *int { return &b.Events }),
	number("bytes", "length of the text", 256<<20, func(b *Behaviour) *int { return &b.Bytes }),
	setting("text", "what to say", func(b *Behaviour, v string) error { b.Text = v; return nil }),
	setting("replay", "name of the recording to answer with", func(b *Behaviour, v string) error { b.Replay = v; return nil }),
	setting("chunks", "whole, byte or random:SEED", (*Behaviour).setChunks),
}

func setting(name, help string, set func(*Behaviour, string) error) Setting {
	return Setting{Name: name, Help: help, header: http.CanonicalHeaderKey("x-mock-" + name), set: set}
}

func number(name, help string, limit int, field func(*Behaviour) *int) Setting {
	return setting(name, help, func(b *Behaviour, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 || n > limit {
			return fmt.Errorf("%q is not a number from 0 to %d", v, limit)
		}
		*field(b) = n
		return nil
	})
}

func duration(name, help string, field func(*Behaviour) *time.Duration) Setting {
	return setting(name, help, func(b *Behaviour, v string) (err error) {
		*field(b), err = time.ParseDuration(v)
		return err
	})
}

func (b *Behaviour) setFault(v string) error {
	f := Fault(v)
	if code := f.status(); slices.Contains(Faults, f) || code >= 400 && code < 600 {
		b.Fault = f
		return nil
	}
	return fmt.Errorf("unknown fault %q", v)
}

func (b *Behaviour) setChunks(v string) (err error) {
	b.Chunks, err = parseChunks(v)
	return err
}

// Set sets the field that the setting called name stands for.
func (b *Behaviour) Set(name, value string) error {
	i := slices.IndexFunc(Settings, func(s Setting) bool { return s.Name == name })
	if i < 0 {
		return fmt.Errorf("mock: unknown setting %q", name)
	}
	if err := Settings[i].set(b, value); err != nil {
		return fmt.Errorf("mock: %s: %w", name, err)
	}
	return nil
}

func (b *Behaviour) fromModel(model string) error {
	var errs []error
	for i, part := range strings.Split(model, "@") {
		if name, value, ok := strings.Cut(part, "="); ok && i > 0 {
			errs = append(errs, b.Set(name, value))
		}
	}
	return errors.Join(errs...)
}

func (b *Behaviour) fromHeader(h http.Header) error {
	var errs []error
	for _, s := range Settings {
		if v := h[s.header]; len(v) > 0 {
			errs = append(errs, b.Set(s.Name, v[0]))
		}
	}
	return errors.Join(errs...)
}
