package guard

// A Level is that of a line in the gateway's log.
type Level uint32

// The levels.
const (
	Debug Level = iota
	Info
	Warn
	Error
)
