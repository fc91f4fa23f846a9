package telemetry

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// An Event is one decision, in the form of OPA's decision logs as far as they
// have a field for it (openpolicyagent.org/docs/management-decision-logs).
type Event struct {
	Link

	DecisionID string            `json:"decision_id"` // the exchange's, or that of a call of the admin API
	Timestamp  time.Time         `json:"timestamp"`   // when the exchange began
	Path       string            `json:"path"`        // of the entry point, as attache/request
	Labels     map[string]string `json:"labels"`      // of the gateway: app, host
	Bundles    map[string]Bundle `json:"bundles,omitempty"`
	Input      json.RawMessage   `json:"input,omitempty"`  // what the rules could see, without what is erased
	Result     json.RawMessage   `json:"result,omitempty"` // a Result; none if the policy failed
	Error      *Failure          `json:"error,omitempty"`
	Rules      []Rule            `json:"rules,omitempty"`       // that took part, of the response as well
	RuleLabels []map[string]any  `json:"rule_labels,omitempty"` // of their METADATA, each once
	Outcome    Outcome           `json:"outcome"`
	Erased     []string          `json:"erased,omitempty"` // JSON pointers into the event: what was taken out
	Masked     []string          `json:"masked,omitempty"` // what was replaced
	Metrics    Timing            `json:"metrics"`
	Sample     int64             `json:"sample_permille,omitempty"` // of the requests like this one, so many are logged; 0: all
	TraceID    string            `json:"trace_id,omitempty"`
	SpanID     string            `json:"span_id,omitempty"`
}

// A Link is an event's place in its chain.
type Link struct {
	Chain string `json:"chain,omitempty"` // its id
	Seq   uint64 `json:"seq,omitempty"`   // counted from 1
	Prev  string `json:"prev,omitempty"`  // hash of the line before; zeros for the first
	Opens bool   `json:"opens,omitempty"` // the first of its file
	Hash  string `json:"hash,omitempty"`  // of this line, up to here
}

// A Bundle is a set of rules.
type Bundle struct {
	Revision string `json:"revision"`
}

// A Rule is one that took part in a decision.
type Rule struct {
	ID string `json:"id"`
	At string `json:"at,omitempty"` // file:line
}

// A Result is what the policy said.
type Result struct {
	Allow bool `json:"allow"`
	gateway.Decision
}

// A Failure says why the policy gave no decision.
type Failure struct {
	Message string `json:"message"`
}

// An Outcome is what became of the request.
type Outcome struct {
	Status int    `json:"status"`           // 0: the client got none, or one of Envoy's
	Code   string `json:"code,omitempty"`   // of the error
	Target string `json:"target,omitempty"` // provider/model that answered
	Cache  string `json:"cache,omitempty"`  // hit, miss, off; none if it was not asked
}

// A Timing is how long things took, in nanoseconds.
type Timing struct {
	Eval int64 `json:"timer_sdk_decision_eval_ns"` // OPA's name for it
}

// PathRequest is the Path of decisions about requests.
const PathRequest = string(gateway.EntryRequest)

const (
	maxBody    = 1 << 20 // bytes of an event; a larger one goes without its input
	maxFailure = 4 << 10 // bytes of an error's text
)

// event makes an event of a decision, and its JSON without a link.
func (s *sink) event(d *gateway.Decided, host string) (*Event, []byte) {
	r := d.Record
	e := &Event{
		DecisionID: r.ID, Timestamp: r.Start.UTC(), Path: string(d.Entry),
		Labels:  map[string]string{"app": "attache", "host": host},
		Bundles: map[string]Bundle{"policy": {r.Revision}},
		Outcome: Outcome{r.Status, r.Code, r.Target, r.Cache},
		Metrics: Timing{int64(d.Took)},
	}
	e.TraceID, e.SpanID = trace(d.Trace)
	if !d.Denied() && s.Sample < 1000 {
		e.Sample = s.Sample
	}
	if d.Err != nil {
		text := d.Err.Error()
		e.Error = &Failure{text[:min(len(text), maxFailure)]}
	} else {
		e.Result, _ = json.Marshal(Result{d.Decision.Deny == nil, d.Decision}) // it has nothing that cannot be written
	}
	witness, _ := d.Policy.(gateway.Witness)
	ids := r.Rules
	if d.Entry != gateway.EntryRequest {
		ids = d.Decision.Rules
	}
	for _, id := range ids {
		rule := Rule{ID: id}
		if witness != nil {
			rule.At = witness.Place(id)
			e.label(witness.Labels(id))
		}
		e.Rules = append(e.Rules, rule)
	}
	if witness != nil {
		s.addInput(e, d, witness)
	}
	e.mask(s.Mask)
	return e, e.body()
}

// label adds the labels of a rule, unless another one has the same.
func (e *Event) label(labels map[string]any) {
	same := func(other map[string]any) bool { return reflect.DeepEqual(labels, other) }
	if len(labels) > 0 && !slices.ContainsFunc(e.RuleLabels, same) {
		e.RuleLabels = append(e.RuleLabels, labels)
	}
}

// withheld are the levels of logging that leave the input out.
var withheld = map[string]bool{gateway.LogNone: true, gateway.LogMeta: true}

// addInput adds what the rules could see, where it is wanted. A policy that has
// failed could not say what of it is to be left out, so all of it is.
func (s *sink) addInput(e *Event, d *gateway.Decided, w gateway.Witness) {
	wanted := s.Content == ContentProjected && !withheld[d.Record.Log.Level] && d.Err == nil
	if wanted {
		if in, err := seenBy(w, d); err == nil && in != nil {
			e.Input = in
			e.erase(d.Record.Log.Redact)
			return
		}
	}
	e.Erased = append(e.Erased, "/input")
}

// seenBy asks the policy what its rules saw. Here nobody else would stop a panic.
func seenBy(w gateway.Witness, d *gateway.Decided) (in []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			in, err = nil, errors.New("the policy panicked")
		}
	}()
	return w.Seen(d.Entry, d.Facts)
}

// body writes the event without its link. What is too large loses its input, and
// then its result.
func (e *Event) body() []byte {
	for _, large := range [...]struct {
		at   string
		part *json.RawMessage
	}{{"/input", &e.Input}, {"/result", &e.Result}} {
		b, err := json.Marshal(e)
		if err == nil && len(b) <= maxBody {
			return b
		}
		if *large.part = nil; !slices.Contains(e.Erased, large.at) {
			e.Erased = append(e.Erased, large.at)
		}
	}
	b, _ := json.Marshal(e) // what is left can be written, and is small
	return b
}

// trace reads the header traceparent (www.w3.org/TR/trace-context).
func trace(parent string) (traceID, spanID string) {
	parts := strings.Split(parent, "-")
	if len(parts) < 4 || len(parts[0]) != 2 || !isID(parts[1], 32) || !isID(parts[2], 16) {
		return "", ""
	}
	return parts[1], parts[2]
}

func isID(s string, length int) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == length && s == strings.ToLower(s) && strings.Trim(s, "0") != ""
}
