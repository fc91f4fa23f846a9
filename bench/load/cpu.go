package load

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// tick is the unit of the times in /proc, USER_HZ: 100 a second on every
// architecture Go runs on.
const tick = 10 * time.Millisecond

// CPU is the time that the processes with these ids have used so far, user and
// system, with all their threads. Measure over seconds: the kernel counts in
// steps of 10 ms.
func CPU(pids ...int) (time.Duration, error) {
	var sum time.Duration
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, fmt.Errorf("load: cpu: %w", err)
		}
		d, err := parseStat(stat)
		if err != nil {
			return 0, fmt.Errorf("load: cpu of %d: %w", pid, err)
		}
		sum += d
	}
	return sum, nil
}

// parseStat adds utime and stime, fields 14 and 15 of /proc/PID/stat (proc(5)).
// Field 2 is the name in parentheses, which may hold anything, so counting
// starts after the last one.
func parseStat(stat []byte) (time.Duration, error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("%d fields", len(fields))
	}
	var ticks time.Duration
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += time.Duration(n)
	}
	return ticks * tick, nil
}
