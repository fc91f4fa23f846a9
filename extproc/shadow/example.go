package shadow

import (
	"encoding/json"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// An Example is a request on which the two differ.
type Example struct {
	ID        string    `json:"id"` // of the exchange
	Time      time.Time `json:"time"`
	Live      Summary   `json:"live"`
	Candidate Summary   `json:"candidate"`
	Input     any       `json:"input,omitempty"` // what the candidate's rules could see, without what either redacts; absent: not known
}

// A Summary is a decision, as far as it differs.
type Summary struct {
	Error string          `json:"error,omitempty"`
	Deny  *gateway.Denial `json:"deny,omitempty"` // absent: allowed
	Parts map[Kind]any    `json:"parts,omitempty"`
	Rules []string        `json:"rules,omitempty"` // that took part
}

// maxInput bounds the input of an example, in bytes.
const maxInput = 16 << 10

func (p *Pair) example(j *job, other *gateway.Decision, err error, log *slog.Logger) *Example {
	e := &Example{ID: j.id, Time: j.facts.Now, Live: summary(&j.decision, j.err), Candidate: summary(other, err)}
	if e.Live.Parts != nil && e.Candidate.Parts != nil {
		for k, v := range e.Live.Parts {
			if reflect.DeepEqual(v, e.Candidate.Parts[k]) {
				delete(e.Live.Parts, k)
				delete(e.Candidate.Parts, k)
			}
		}
	}
	w, ok := p.candidate.(gateway.Witness)
	if !ok {
		return e
	}
	seen, err := w.Seen(gateway.EntryRequest, &j.facts)
	if err == nil && len(seen) <= maxInput && len(seen) > 0 {
		err = json.Unmarshal(seen, &e.Input)
	}
	if err != nil {
		log.Warn("the input of a shadow's example cannot be shown", "error", err)
	}
	for _, pointer := range append(append([]string(nil), j.decision.Log.Redact...), other.Log.Redact...) {
		erase(e.Input, pointer)
	}
	return e
}

func summary(d *gateway.Decision, err error) Summary {
	switch {
	case err != nil:
		return Summary{Error: err.Error()}
	case d.Deny != nil:
		return Summary{Deny: d.Deny, Rules: d.Rules}
	}
	s := Summary{Parts: map[Kind]any{}, Rules: d.Rules}
	for _, p := range parts(d) {
		s.Parts[p.kind] = p.value
	}
	return s
}

// unescape reads a token of a JSON pointer. (RFC 6901, section 4.)
var unescape = strings.NewReplacer("~1", "/", "~0", "~")

// erase takes what a JSON pointer names out of a document.
func erase(document any, pointer string) {
	tokens := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, token := range tokens {
		object, ok := document.(map[string]any)
		if !ok {
			return
		}
		token = unescape.Replace(token)
		if i == len(tokens)-1 {
			delete(object, token)
			return
		}
		document = object[token]
	}
}
