package hosting

import "github.com/attache-gateway/attache/extproc/dialect"

// A recast reads a unary response that means what one of the dialect means and
// says it in a form of the service's own. What has not that form is read as it
// is: it may be an error.
type recast struct {
	dialect.Decoder
	whole dialect.Whole
	cast  func(body []byte) ([]byte, bool)
}

func (d *recast) Decode(chunk []byte, eos bool) ([]dialect.Frame, error) {
	body, err := d.whole.Add(chunk, eos)
	if err != nil || !eos {
		return nil, err
	}
	if own, ok := d.cast(body); ok {
		body = own
	}
	return d.Decoder.Decode(body, true)
}
