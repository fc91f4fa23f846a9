package llm

import "strconv"

// Value is the number, 0 if it was not given.
func (n Number) Value() float64 {
	f, _ := strconv.ParseFloat(string(n), 64)
	return f
}
