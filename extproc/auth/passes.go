package auth

import (
	"crypto/sha256"
	"sync"
)

// maxPasses bounds the tokens that are remembered, by the bytes of their text, in
// each of two generations. Of a token of 1 KiB about 4 KiB are kept.
const maxPasses = 4 << 20

// passes are tokens that were verified, by the hashes of their text. Only good
// ones are kept, so that nobody else can push them out. What was used lately
// stays: when the young generation is full, it becomes the old one and that is
// dropped.
type passes struct {
	mu    sync.RWMutex
	size  int // bytes of the young
	young map[[sha256.Size]byte]kept
	old   map[[sha256.Size]byte]kept
}

type kept struct {
	*pass
	size int // bytes of the token
}

// get returns what is known of a token, nil if that is nothing.
func (ps *passes) get(sum *[sha256.Size]byte) *pass {
	ps.mu.RLock()
	k, ok := ps.young[*sum]
	if ok {
		ps.mu.RUnlock()
		return k.pass
	}
	k, ok = ps.old[*sum]
	ps.mu.RUnlock()
	if ok {
		ps.put(sum, k.pass, k.size)
	}
	return k.pass
}

func (ps *passes) put(sum *[sha256.Size]byte, p *pass, size int) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if before, ok := ps.young[*sum]; ok {
		ps.size -= before.size
	}
	if ps.young == nil || ps.size+size > maxPasses {
		ps.old, ps.young, ps.size = ps.young, map[[sha256.Size]byte]kept{}, 0
	}
	ps.young[*sum] = kept{p, size}
	ps.size += size
}
