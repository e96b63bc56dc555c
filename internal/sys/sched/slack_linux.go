package sched

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Slack lets the timers of this process's threads, and of those that they make, be up to d late (timer slack, prctl(2)); the kernel's own choice is
// 50 µs.
//
// It is for programs that work for moments and wait between them. While a program of Go works, a thread of the runtime looks after it every 20 µs,
// and rests only when all of it waits: under short pieces of work that is a tenth of their processor time. With a slack of a millisecond it looks
// hardly once a piece. It needs the right to set priorities (CAP_SYS_NICE); where the kernel refuses everything works as before.
func Slack(d time.Duration) error {
	want := strconv.FormatInt(d.Nanoseconds(), 10)
	return everyThread(func(id int) (changed bool, err error) {
		name := fmt.Sprintf("/proc/%d/timerslack_ns", id)
		is, err := os.ReadFile(name)
		if err == nil && strings.TrimSpace(string(is)) == want {
			return false, nil
		}
		if err == nil {
			err = os.WriteFile(name, []byte(want), 0)
		}
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) { // it has ended
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("ask for late timers: %w", err)
		}
		return true, nil
	})
}
