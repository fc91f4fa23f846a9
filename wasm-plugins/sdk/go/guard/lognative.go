//go:build !wasip1

package guard

// Log does nothing outside a gateway.
func Log(Level, string) {}
