package responses

import (
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
)

// readUsage reads the counts of a response, which come once, at its end. Where
// the total is more than input and output, the rest is reasoning that the
// server did not count as output.
func (a *answer) readUsage() error {
	if a.in.Kind() != jsonx.Object {
		return a.skip(nil)
	}
	var total int64
	u := &a.usage
	err := a.in.Object(func(name []byte) error {
		switch string(name) {
		case "input_tokens":
			return natural(a.in, &u.Input)
		case "output_tokens":
			return natural(a.in, &u.Output)
		case "total_tokens":
			return natural(a.in, &total)
		case "input_tokens_details", "output_tokens_details":
			if a.in.Kind() == jsonx.Object {
				return a.in.Object(a.usageDetail)
			}
		}
		return a.skip(nil)
	})
	if rest := total - u.Total(); rest > 0 && u.Output > 0 {
		u.Output += rest
		u.Reasoning = max(u.Reasoning, rest)
	}
	return err
}

func (a *answer) usageDetail(name []byte) error {
	switch string(name) {
	case "cached_tokens":
		return natural(a.in, &a.usage.CacheRead)
	case "cache_write_tokens":
		return natural(a.in, &a.usage.CacheWrite)
	case "cache_write_tokens_details":
		if a.in.Kind() == jsonx.Object {
			return a.in.Object(func(name []byte) error {
				if string(name) == "ttl_12h_tokens" { // the longer lifetime, as elsewhere an hour
					return natural(a.in, &a.usage.CacheWriteHour)
				}
				return a.skip(nil)
			})
		}
	case "reasoning_tokens":
		return natural(a.in, &a.usage.Reasoning)
	}
	return a.skip(nil)
}
