package stream

import (
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/mem"
)

// The pool of gRPC keeps one size for all messages from 32 KB to 1 MB, and
// clears the whole buffer each time it hands one out, which costs more than to
// decode a request of 64 KB. This one has a size for every power of two, from
// 256 bytes to 16 MB. gRPC takes it only at initialization.
func init() {
	pool, err := mem.NewBinaryTieredBufferPool(8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24)
	if err != nil {
		panic(err) // a size that the architecture cannot address
	}
	experimental.SetDefaultBufferPool(pool)
}
