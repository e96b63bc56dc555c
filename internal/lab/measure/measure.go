// Package measure reads from /proc what a benchmark wants to know of a process and of the machine: processor time and
// memory. It works on Linux; elsewhere every reading fails because there is no /proc.
package measure

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// tick is the unit of processor times in /proc: USER_HZ is 100 on every architecture that Go runs on.
const tick = 10 * time.Millisecond

// Usage is what a process has used since its start.
type Usage struct {
	CPU     time.Duration // user and system, its threads and the children it has waited for, in steps of 10 ms
	RSS     int64         // bytes of memory now
	PeakRSS int64         // bytes of memory at most
}

// Process reads the usage of a living process.
func Process(pid int) (Usage, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return Usage{}, fmt.Errorf("read the usage of process %d: %w", pid, err)
	}
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return Usage{}, fmt.Errorf("read the usage of process %d: %w", pid, err)
	}
	var u Usage
	if u.CPU, err = processTime(stat); err == nil {
		u.RSS, err = kilobytes(status, "VmRSS:")
	}
	if err == nil {
		u.PeakRSS, err = kilobytes(status, "VmHWM:")
	}
	if err != nil {
		return Usage{}, fmt.Errorf("read the usage of process %d: %w", pid, err)
	}
	return u, nil
}

// Busy returns the time that all processors of the machine together have worked since its start, in interrupts and for
// other guests included.
func Busy() (time.Duration, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read the machine's busy time: %w", err)
	}
	return busyTime(stat)
}

// processTime reads fields 14 to 17 of /proc/PID/stat. Field 2 is the program's name in brackets; it may hold
// spaces and brackets itself.
func processTime(stat []byte) (time.Duration, error) {
	const before, from, to = 3, 14, 17 // the number of the first field after the name; those wanted
	_, rest, found := cutLast(stat, ") ")
	fields := bytes.Fields(rest)
	if !found || len(fields) <= to-before {
		return 0, errors.New("stat has too few fields")
	}
	return sum(fields[from-before : to-before+1])
}

func cutLast(b []byte, sep string) (before, after []byte, found bool) {
	i := bytes.LastIndex(b, []byte(sep))
	if i < 0 {
		return b, nil, false
	}
	return b[:i], b[i+len(sep):], true
}

// busyTime adds up the first line of /proc/stat without idle (4th) and iowait (5th); guest times are in user already.
func busyTime(stat []byte) (time.Duration, error) {
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 9 || string(fields[0]) != "cpu" {
		return 0, errors.New("read the machine's busy time: /proc/stat does not begin with cpu and 8 numbers")
	}
	return sum(append(append([][]byte(nil), fields[1:4]...), fields[6:9]...))
}

func sum(fields [][]byte) (time.Duration, error) {
	var ticks int64
	for _, f := range fields {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read a time: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}

// kilobytes finds a line such as "VmRSS:  1234 kB" and returns it in bytes.
func kilobytes(status []byte, name string) (int64, error) {
	for line := range bytes.Lines(status) {
		if f := bytes.Fields(line); len(f) == 3 && string(f[0]) == name {
			n, err := strconv.ParseInt(string(f[1]), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("status has no %s", name)
}
