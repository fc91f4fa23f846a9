package llm

import "testing"

func TestNumberValue(t *testing.T) {
	for n, want := range map[Number]float64{"": 0, "0.5": 0.5, "1e1": 10, "x": 0} {
		if got := n.Value(); got != want {
			t.Errorf("%q: got %v", n, got)
		}
	}
}
