package osnet

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// openBell returns a bell that costs nothing while nothing happens. Sandboxes without timerfd get one that looks all the time.
func openBell() bell {
	if c, err := newClockSet(); err == nil {
		return c
	}
	return newTicking(time.Now)
}

// clockSet is a timer that is not there for its time: it ends when the clock of the day is set, which the kernel does when it resumes (timerfd_create(2),
// TFD_TIMER_CANCEL_ON_SET), and the keeper of a virtual machine's clock when that was stopped and goes on.
type clockSet struct {
	f         *os.File
	boot, day drift
}

// dayAhead is by how much the clock of the day must have been put forward to count as a sleep: smaller steps are corrections.
const dayAhead = 30 * time.Second

// rearm is for how long the timer is set, in seconds.
const rearm = 30 * 86400

func newClockSet() (*clockSet, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	c := &clockSet{f: os.NewFile(uintptr(fd), "timer")}
	if err := c.arm(); err != nil {
		c.f.Close()
		return nil, err
	}
	c.slept()
	return c, nil
}

func (c *clockSet) arm() error {
	rc, err := c.f.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	if err := rc.Control(func(fd uintptr) {
		var at unix.ItimerSpec
		if set = unix.ClockGettime(unix.CLOCK_REALTIME, &at.Value); set == nil {
			at.Value.Sec += rearm
			set = unix.TimerfdSettime(int(fd), unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &at, nil)
		}
	}); err != nil {
		return err
	}
	return os.NewSyscallError("set a timer", set)
}

func (c *clockSet) wait() error {
	var fired [8]byte
	_, err := c.f.Read(fired[:])
	if err != nil && !errors.Is(err, unix.ECANCELED) {
		return err
	}
	return c.arm()
}

func (c *clockSet) close() error { return c.f.Close() }

func (c *clockSet) slept() time.Duration {
	awake := since(unix.CLOCK_MONOTONIC)
	boot, day := c.boot.grown(since(unix.CLOCK_BOOTTIME)-awake), c.day.grown(since(unix.CLOCK_REALTIME)-awake)
	if day < dayAhead {
		return boot
	}
	return max(boot, day)
}

func since(clock int32) time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(clock, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
