package llm

// efforts are the levels that the formats have in common.
var efforts = map[string]bool{
	"none": true, "minimal": true, "low": true, "medium": true, "high": true, "xhigh": true, "max": true,
}

// Level is the level of effort that comes closest to what the client asked for,
// for formats without budgets; empty leaves it to the model.
func (r *Reasoning) Level() string {
	switch {
	case r.Mode == "disabled":
		return "none"
	case efforts[r.Effort]:
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
