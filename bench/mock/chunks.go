package mock

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Chunks says how a body is cut into pieces that are flushed one by one:
// "whole" (the default), "byte", or "random:SEED" for pieces of 1 to 64 bytes.
type Chunks string

const (
	Whole Chunks = ""
	Byte  Chunks = "byte"
)

// Random are pieces of random size, the same for the same seed.
func Random(seed uint64) Chunks { return Chunks("random:" + strconv.FormatUint(seed, 10)) }

func parseChunks(v string) (Chunks, error) {
	if v == "whole" {
		return Whole, nil
	}
	if seed, ok := strings.CutPrefix(v, "random:"); ok {
		if n, err := strconv.ParseUint(seed, 10, 64); err == nil {
			return Random(n), nil
		}
	} else if v == string(Byte) {
		return Byte, nil
	}
	return "", fmt.Errorf("%q is none of whole, byte, random:SEED", v)
}

func (c Chunks) cut(body []byte) [][]byte {
	size := func() int { return 1 }
	if seed, ok := strings.CutPrefix(string(c), "random:"); ok {
		n, _ := strconv.ParseUint(seed, 10, 64) // parseChunks and Random write only numbers
		random := rand.New(rand.NewPCG(n, 0))
		size = func() int { return 1 + random.IntN(64) }
	}
	var pieces [][]byte
	for len(body) > 0 {
		n := min(size(), len(body))
		pieces = append(pieces, body[:n])
		body = body[n:]
	}
	return pieces
}
