package llm

import "testing"

func TestNearest(t *testing.T) {
	for _, c := range []struct {
		known       []string
		level, want string
	}{
		{nil, "xhigh", "xhigh"},
		{[]string{"low", "medium", "high"}, "medium", "medium"},
		{[]string{"low", "medium", "high"}, "minimal", "low"},
		{[]string{"low", "medium", "high"}, "max", "high"},
		{[]string{"none", "high"}, "low", "high"},
		{[]string{"low", "high", "max"}, "medium", "high"},
		{[]string{"low", "high"}, "none", "none"},
		{[]string{"none"}, "low", "low"},
		{[]string{"low"}, "", ""},
	} {
		if got := (&Rules{Efforts: c.known}).Nearest(c.level); got != c.want {
			t.Errorf("of %q the nearest to %q is %q, want %q", c.known, c.level, got, c.want)
		}
	}
}
