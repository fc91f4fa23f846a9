package shadow

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// An Example is a request on which the two differ.
type Example struct {
	ID        string          `json:"id"` // of the exchange
	Time      time.Time       `json:"time"`
	Live      Summary         `json:"live"`
	Candidate Summary         `json:"candidate"`
	Input     json.RawMessage `json:"input,omitempty"` // what the candidate's rules could see, without what either redacts; absent: not known, or not to be shown
}

// A Summary is a decision, as far as it differs.
type Summary struct {
	Error  string          `json:"error,omitempty"`
	Result json.RawMessage `json:"result,omitempty"` // as in the log of decisions: what differs, and the rules; absent: there was an error
}

// A Show says what may be seen of examples.
type Show struct {
	Input bool

	// Mask replaces what is not to be seen in a JSON object with the members input
	// and result, as in the log of decisions. Nil: all may be.
	Mask func(document json.RawMessage) json.RawMessage
}

// maxInput bounds the input of an example, in bytes.
const maxInput = 16 << 10

func (p *Pair) example(j *job, other *gateway.Decision, err error, log *slog.Logger) *Example {
	live, candidate := members(&j.decision, j.err), members(other, err)
	for name, said := range live {
		if same, ok := candidate[name]; ok && name != "rules" && bytes.Equal(said, same) {
			delete(live, name)
			delete(candidate, name)
		}
	}
	return &Example{
		ID: j.id, Time: j.facts.Now, Live: summary(live, j.err), Candidate: summary(candidate, err),
		Input: p.input(j, other, log),
	}
}

// members are those of a decision's JSON. If it refuses, what else it says does not
// matter.
func members(d *gateway.Decision, err error) map[string]json.RawMessage {
	if err != nil {
		return nil
	}
	if d.Deny != nil {
		d = &gateway.Decision{Deny: d.Deny, Rules: d.Rules}
	}
	var all map[string]json.RawMessage
	text, _ := json.Marshal(d) // it has nothing that cannot be written
	_ = json.Unmarshal(text, &all)
	return all
}

func summary(members map[string]json.RawMessage, err error) Summary {
	if err != nil {
		return Summary{Error: err.Error()}
	}
	text, _ := json.Marshal(members)
	return Summary{Result: text}
}

// withheld are the levels of logging that leave the input out.
var withheld = [...]string{gateway.LogNone, gateway.LogMeta}

// input is what the candidate's rules could see of a request, nil if that is not
// known or one of the two wants it nowhere. A policy in force that has failed could
// not say what of it is to be left out, so all of it is.
func (p *Pair) input(j *job, other *gateway.Decision, log *slog.Logger) json.RawMessage {
	w, ok := p.candidate.(gateway.Witness)
	if !ok || j.err != nil || slices.Contains(withheld[:], j.decision.Log.Level) || slices.Contains(withheld[:], other.Log.Level) {
		return nil
	}
	seen, err := w.Seen(gateway.EntryRequest, &j.facts)
	if err == nil && (len(seen) == 0 || len(seen) > maxInput) {
		return nil
	}
	var document any
	if err == nil {
		err = json.Unmarshal(seen, &document)
	}
	if err != nil {
		log.Warn("the input of a shadow's example cannot be shown", "error", err)
		return nil
	}
	for _, pointer := range slices.Concat(j.decision.Log.Redact, other.Log.Redact) {
		erase(document, pointer)
	}
	text, _ := json.Marshal(document) // it was read
	return text
}

// of is an example as it may be seen.
func (s *Show) of(e Example) Example {
	if !s.Input {
		e.Input = nil
	}
	if s.Mask == nil {
		return e
	}
	input := e.Input
	for _, side := range [...]*Summary{&e.Live, &e.Candidate} {
		var shown struct {
			Input  json.RawMessage `json:"input,omitempty"`
			Result json.RawMessage `json:"result,omitempty"`
		}
		shown.Input, shown.Result = input, side.Result
		text, _ := json.Marshal(shown)
		shown.Input, shown.Result = nil, nil
		_ = json.Unmarshal(s.Mask(text), &shown) // of what cannot be read nothing is shown
		e.Input, side.Result = shown.Input, shown.Result
	}
	return e
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
