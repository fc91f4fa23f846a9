package gateway

import (
	"bytes"
	"compress/gzip"
	"io"

	"github.com/attache-gateway/attache/extproc/dialect"
	"github.com/attache-gateway/attache/extproc/llm"
)

// An unzip reads a response that a provider compressed although it was asked
// not to. It waits for the whole body: late is better than broken.
type unzip struct {
	dialect.Decoder
	body dialect.Whole
}

func (u *unzip) Decode(p []byte, eos bool) ([]dialect.Frame, error) {
	body, err := u.body.Add(p, eos)
	if err != nil || !eos {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, notADialect()
	}
	plain, err := io.ReadAll(io.LimitReader(z, int64(u.body.Limit)+1))
	if err != nil || len(plain) > u.body.Limit {
		return nil, &llm.Error{Status: 502, Code: llm.CodeUpstreamError, Message: "the provider's response is compressed and broken"}
	}
	return u.Decoder.Decode(plain, true)
}
