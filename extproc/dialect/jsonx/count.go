package jsonx

import "strconv"

// maxCount bounds a count, so that sums of them stay numbers.
const maxCount = 1 << 48

// Count reads a number of things, as tokens, into n. A value that cannot be one
// is passed over, and n keeps what it was.
func (r *Reader) Count(n *int64) error {
	if r.Kind() != Number {
		_, err := r.Skip()
		return err
	}
	_, text, err := r.number()
	if err != nil {
		return err
	}
	if v, err := strconv.ParseInt(string(text), 10, 64); err == nil && v >= 0 {
		*n = min(v, maxCount)
	}
	return nil
}
