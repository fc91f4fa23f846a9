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
	limit int
	buf   []byte
}

func (u *unzip) Decode(p []byte, eos bool) ([]dialect.Frame, error) {
	if len(u.buf)+len(p) > u.limit {
		return nil, notADialect()
	}
	u.buf = append(u.buf, p...)
	if !eos {
		return nil, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(u.buf))
	if err != nil {
		return nil, notADialect()
	}
	plain, err := io.ReadAll(io.LimitReader(z, int64(u.limit)+1))
	if err != nil || len(plain) > u.limit {
		return nil, &llm.Error{Status: 502, Code: llm.CodeUpstreamError, Message: "the provider's response is compressed and broken"}
	}
	return u.Decoder.Decode(plain, true)
}
