package gateway

import "time"

// A Breaker says when a target that fails is left alone, and for how long. A
// target that is left alone is open, as a circuit is; it goes behind all others
// and is tried only if they fail too. After its time it is half open: one
// request at a time may probe it, and closes it or opens it again.
type Breaker struct {
	ErrorsPermille int64         // opens, of at least MinRequests of late
	MinRequests    int64         // attempts of late, as far as they have not faded
	Failures       int64         // in a row; open as well
	OpenFor        time.Duration // the first time; it doubles with each probe that fails
	MaxOpen        time.Duration // at most, also if a provider asks for more
	HalfLife       time.Duration // of all figures
}

// DefaultBreaker is what suits most providers.
func DefaultBreaker() Breaker {
	return Breaker{
		ErrorsPermille: 500, MinRequests: 10, Failures: 5,
		OpenFor: 5 * time.Second, MaxOpen: 5 * time.Minute, HalfLife: 30 * time.Second,
	}
}

// A state is one of a circuit breaker's.
type state uint8

const (
	closed state = iota
	halfOpen
	open
)

// String returns the state's name in policies.
func (s state) String() string { return [...]string{"closed", "half_open", "open"}[s] }

// A circuit is one target's breaker.
type circuit struct {
	row    int64     // failures since the last success
	opened time.Time // zero: it is closed
	until  time.Time
	trips  int // probes that failed since it opened
}

func (c *circuit) state(now time.Time) state {
	switch {
	case c.opened.IsZero():
		return closed
	case now.Before(c.until):
		return open
	}
	return halfOpen
}

// succeed closes the circuit, and reports whether it was open. An attempt from
// before it opened is no news.
func (c *circuit) succeed(begun time.Time) bool {
	if c.opened.IsZero() || begun.Before(c.opened) {
		return false
	}
	*c = circuit{}
	return true
}

// fail opens the circuit if there is reason to.
func (c *circuit) fail(now time.Time, b *Breaker, alone time.Duration, errors mean) {
	was, wait := c.state(now), b.OpenFor
	switch {
	case alone > 0:
		wait = alone
	case was == open:
		return
	case was == halfOpen:
		c.trips++
		wait = b.OpenFor << min(c.trips, 20)
	case c.row < b.Failures && !b.tooMany(errors):
		return
	}
	if until := now.Add(min(wait, b.MaxOpen)); until.After(c.until) {
		c.until = until
	}
	if was != open {
		c.opened = now
	}
}

// tooMany looks at the share of errors, in permille. Of the latest attempts a
// little has always faded.
func (b *Breaker) tooMany(errors mean) bool {
	return errors.count+0.5 >= float64(b.MinRequests) && errors.sum >= float64(b.ErrorsPermille)*errors.count
}
