package gateway

import (
	"math"
	"testing"
)

func TestStep4(t *testing.T) {
	for n := int64(0); n < 5000; n++ {
		i := step4(n)
		if ceiling4(i) < n || i > 0 && ceiling4(i-1) >= n {
			t.Fatalf("%d is in step %d, from %d to %d", n, i, ceiling4(i-1)+1, ceiling4(i))
		}
		if c := ceiling4(i); float64(c) > float64(n)*1.25 {
			t.Fatalf("%d counts as %d", n, c)
		}
	}
	for _, n := range []int64{-1, math.MaxInt64, math.MinInt64, 1 << 40} {
		step4(n) // does not panic
	}
}

func TestLengths(t *testing.T) {
	var none *lengths
	l := &lengths{}
	for range fewLengths - 1 {
		l.add(100)
	}
	if none.most() != 0 || l.most() != 0 {
		t.Errorf("a few say %d", l.most())
	}
	for i := range 1000 {
		l.add(100)
		if i%25 == 0 { // 4 of 100
			l.add(4000)
		}
	}
	if got := l.most(); got < 100 || got > 125 {
		t.Errorf("most are up to %d long", got)
	}
	for range 60 { // 15 of 100 and more
		l.add(4000)
	}
	if got := l.most(); got < 4000 || got > 5000 {
		t.Errorf("most are up to %d long", got)
	}
	for range 3 * manyLengths { // the model's answers get shorter
		l.add(10)
	}
	if got := l.most(); got < 10 || got > 12 {
		t.Errorf("most are up to %d long", got)
	}
}
