package gateway

import "github.com/attache-gateway/attache/extproc/llm"

// A Ranked is a target with what put it into its place: what comes first in the
// struct goes before what comes later. Of scores the highest goes first.
type Ranked struct {
	Target string `json:"target"`          // provider/model
	State  string `json:"state"`           // of its breaker
	Small  bool   `json:"small,omitempty"` // its context is too small for the request
	Share  score  `json:"share,omitempty"` // of the policy's split
	Prefer int64  `json:"prefer"`          // of the policy's preferences
	Pick   score  `json:"pick"`            // of how the model's targets are picked
}

// Expected of a request that does not limit its output, in tokens, and of text
// that was not counted, in bytes per token.
const (
	usualOutput   = 500
	bytesPerToken = 4
)

// route orders the targets that the policy leaves, best first, without those
// that cannot take the request.
func (x *Exchange) route(r *llm.Request, targets []*target, d *Decision) ([]*target, *llm.Error) {
	targets, err := x.takers(r, targets)
	if err != nil {
		return nil, err
	}
	small, err := x.small(r, targets)
	if err != nil {
		return nil, err
	}
	if len(targets) == 1 && x.why == nil {
		return targets, nil
	}
	w := wish{
		pick: d.Pick, prefer: d.Prefer, split: d.Split, stream: r.Stream,
		sticks: sticks{user: x.record.Account("user"), session: x.record.Account("session"), key: x.record.Account("key")},
		peek:   x.why != nil && x.why.only,
		input:  r.InputEstimate, output: r.MaxTokens,
	}
	if w.input == 0 {
		w.input = int64(len(r.Body.Raw)) / bytesPerToken
	}
	if w.output == 0 {
		w.output = usualOutput
	}
	var order ranking
	x.gw.rank(&order, &w, targets, small, x.gw.now())
	if !w.peek {
		x.claim(&order)
	}
	if x.why != nil {
		x.why.Targets = order.explain()
	}
	for i := range targets {
		targets[i] = order.at(i).target
	}
	return targets, nil
}

// claim makes this request the probe of the first target, if that is half open.
// If another one is faster the target goes behind.
func (x *Exchange) claim(r *ranking) {
	for range r.n {
		first := r.at(0)
		if first.state != halfOpen || first.class != usable {
			return
		}
		if x.gw.health.claim(first.place(), x.gw.now()) {
			x.probe = first.target
			return
		}
		first.class = resting
		r.sort()
	}
}

// explain is the ranking for people, best first.
func (r *ranking) explain() []Ranked {
	all := make([]Ranked, r.n)
	for i := range all {
		s := r.at(i)
		all[i] = Ranked{
			Target: s.String(), State: s.state.String(), Small: s.class == tooSmall,
			Share: score(max(s.share, 0)), Prefer: s.prefer, Pick: score(s.pick),
		}
	}
	return all
}
