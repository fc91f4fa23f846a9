package gateway

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/attache-gateway/attache/extproc/llm"
)

// A Credential proves to a provider who we are. It is called by many goroutines
// at once, and none of its methods waits for a network.
type Credential interface {
	// Names are the headers, in lower case, that attempts at the provider carry
	// because of it. No other provider gets to see them.
	Names() []string

	// Ready returns nil if there is a valid credential at the moment, or else
	// why there is none, in words for operators.
	Ready() error

	// Headers returns the headers of one attempt. After Ready has returned nil
	// once they can always be made; those of a credential that has expired since
	// are for the provider to refuse. Only for an attempt whose body is unread
	// there may be none: then the error is one for the client.
	Headers(a *Outgoing) ([]llm.Header, error)
}

// An Outgoing is one attempt as it goes on the wire, for those who sign it.
type Outgoing struct {
	Method      string
	Host        string // as the :authority header says it
	Path        string // escaped, with its query
	ContentType string
	Body        []byte
	Unread      bool // the body goes from the client to the provider and is not known
}

// ready reports why the target's provider cannot be called now.
func (t *target) ready() error {
	if t.Credential == nil {
		return nil
	}
	return t.Credential.Ready()
}

// outgoing is what an attempt with the given headers sends.
func (x *Exchange) outgoing(set []llm.Header, body []byte) *Outgoing {
	o := &Outgoing{Method: x.head.Method, Body: body, Unread: x.head.Unread}
	for _, h := range set {
		switch h.Name {
		case ":authority":
			o.Host = h.Value
		case ":path":
			o.Path = h.Value
		case "content-type":
			o.ContentType = h.Value
		}
	}
	return o
}

// noCredential refuses a request because its targets cannot be called now.
func (x *Exchange) noCredential(left []*target) *llm.Answer {
	var names, why []string
	for _, t := range left {
		if name := strconv.Quote(t.Name); !slices.Contains(names, name) {
			names = append(names, name)
			why = append(why, fmt.Sprintf("%s: %v", t.Name, t.ready()))
		}
	}
	x.record.Detail = "no credential: " + strings.Join(why, "; ")
	return x.refuse(&llm.Error{Status: 503, Code: llm.CodeNoTarget,
		Message: "the gateway has no valid credential for the provider " + strings.Join(names, ", ") + " at the moment"})
}

// KeyHeader reports whether a provider's key may travel in a header, by its
// name in lower case: one that carries neither a client's words nor those
// between Envoy and the gateway.
func KeyHeader(name string) bool {
	if slices.Contains(credentials[:], name) {
		return !strings.HasPrefix(name, "x-amz-") // parts of a signature
	}
	return HeaderChangeable(name) && !forwarded[name]
}
