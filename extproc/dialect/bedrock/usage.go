package bedrock

import (
	"github.com/attache-gateway/attache/extproc/dialect/jsonx"
	"github.com/attache-gateway/attache/extproc/llm"
)

// usage reads counts. Here the input is without cached tokens.
func (d *decoder) usage() (u llm.Usage, err error) {
	var input int64
	err = d.Object(func(name []byte) error {
		switch string(name) {
		case "inputTokens":
			return d.Count(&input)
		case "outputTokens":
			return d.Count(&u.Output)
		case "cacheReadInputTokens":
			return d.Count(&u.CacheRead)
		case "cacheWriteInputTokens":
			return d.Count(&u.CacheWrite)
		case "cacheDetails":
			return d.cacheDetails(&u)
		}
		_, err := d.Skip()
		return err
	})
	u.CacheWriteHour = min(u.CacheWriteHour, u.CacheWrite)
	u.Input = input + u.CacheRead + u.CacheWrite
	return u, err
}

// cacheDetails reads how long what was written to the cache stays there.
func (d *decoder) cacheDetails(u *llm.Usage) error {
	if d.Kind() != jsonx.Array {
		_, err := d.Skip()
		return err
	}
	return d.Array(func(int) error {
		if d.Kind() != jsonx.Object {
			_, err := d.Skip()
			return err
		}
		var ttl string
		var n int64
		err := d.Object(func(name []byte) error {
			switch string(name) {
			case "ttl":
				return d.str(&ttl)
			case "inputTokens":
				return d.Count(&n)
			}
			_, err := d.Skip()
			return err
		})
		if ttl == "1h" {
			u.CacheWriteHour = n
		}
		return err
	})
}
