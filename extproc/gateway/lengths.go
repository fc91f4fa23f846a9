package gateway

import "math/bits"

// lengths remembers how long the output of responses is, in tokens: how many there
// were of each size, in steps of a quarter of the power of two. The figures fade.
type lengths struct {
	count [80]uint16
	total int
}

// Of a model there must be a few responses before they say anything. What is
// remembered halves as it grows, so that it is about the latest.
const (
	fewLengths  = 20
	manyLengths = 400
)

func (l *lengths) add(tokens int64) {
	l.count[step4(tokens)]++
	if l.total++; l.total < manyLengths {
		return
	}
	l.total = 0
	for i := range l.count {
		l.count[i] /= 2
		l.total += int(l.count[i])
	}
}

// most returns the length that 95 of 100 responses do not exceed; 0: not known.
func (l *lengths) most() int64 {
	if l == nil || l.total < fewLengths {
		return 0
	}
	longer := 0
	for i := len(l.count) - 1; i >= 0; i-- {
		if longer += int(l.count[i]); longer*20 > l.total {
			return ceiling4(i)
		}
	}
	return 0
}

// step4 is the step that a number is in: its power of two, and the two bits after
// the first.
func step4(n int64) int {
	if n < 4 {
		return int(max(n, 0))
	}
	power := bits.Len64(uint64(n)) - 1
	return min(power*4-4+int(n>>(power-2)&3), len(lengths{}.count)-1)
}

// ceiling4 is the largest number in a step.
func ceiling4(step int) int64 {
	if step < 4 {
		return int64(step)
	}
	power, part := step/4+1, step%4
	return (int64(part)+5)<<(power-2) - 1
}

// learn notes the length of a good response.
func (h *Health) learn(v *vitals, tokens int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if v.lengths == nil {
		v.lengths = &lengths{}
	}
	v.lengths.add(tokens)
}

// unknownLength is what is expected of a model that has not answered yet, in
// tokens.
const unknownLength = 1024

// expect returns the output that is expected of any of the targets, in tokens.
func (h *Health) expect(targets []*target) (most int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range targets {
		n := int64(0)
		if v := h.targets[t.place()]; v != nil {
			n = v.lengths.most()
		}
		if n == 0 {
			n = unknownLength
		}
		most = max(most, n)
	}
	return most
}
