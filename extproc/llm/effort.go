package llm

import "slices"

// Efforts are the levels of effort that the formats have in common, lowest
// first.
var Efforts = []string{"none", "minimal", "low", "medium", "high", "xhigh", "max"}

// Level is the level of effort that comes closest to what the client asked for,
// for formats without budgets; empty leaves it to the model.
func (r *Reasoning) Level() string {
	switch {
	case r.Mode == "disabled":
		return "none"
	case slices.Contains(Efforts, r.Effort):
		return r.Effort
	case r.Budget <= 0:
		return ""
	case r.Budget < 4096:
		return "low"
	case r.Budget < 16384:
		return "medium"
	}
	return "high"
}

// Nearest is the level of effort that a model knows and that comes closest to
// another one, the higher of two. Not to think at all is no less thinking: where
// the model does not know "none", it stays.
func (r *Rules) Nearest(level string) string {
	at := slices.Index(Efforts, level)
	if r.Efforts == nil || at < 0 || level == "none" || slices.Contains(r.Efforts, level) {
		return level
	}
	for off := 1; off < len(Efforts); off++ {
		for _, i := range [...]int{at + off, at - off} {
			if 0 < i && i < len(Efforts) && slices.Contains(r.Efforts, Efforts[i]) {
				return Efforts[i]
			}
		}
	}
	return level
}
