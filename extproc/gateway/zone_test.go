package gateway

import (
	"testing"
	"time"
)

// Rules see the time of the configured zone, which is UTC if there is none.
func TestZone(t *testing.T) {
	for _, tt := range []struct {
		zone *time.Location
		want string
	}{{nil, "2026-01-02T03:04:05Z"}, {time.FixedZone("there", -5*3600), "2026-01-01T22:04:05-05:00"}} {
		var seen time.Time
		h := newGateway(t, func(o *Options) {
			o.Zone = tt.zone
			o.Policy = policyFunc(func(f *Facts) (Decision, error) { seen = f.Now; return Decision{}, nil })
		})
		x, _, _ := decide(t, h, chatPath, chat("a/m", ""))
		if got := seen.Format(time.RFC3339); got != tt.want || !seen.Equal(x.record.Start) {
			t.Errorf("zone %v: rules see %s, want %s", tt.zone, got, tt.want)
		}
	}
}
