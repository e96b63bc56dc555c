package sched

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	role = "CVLAN_TEST_SCHED"
	late = 700 * time.Microsecond
)

// processes are what a test of each name has done in a process of its own, because it stays done, and how to see that it was done to a thread.
var processes = map[string]struct {
	do   func() error
	done func(id int) bool
}{
	"batch": {Batch, func(id int) bool { return policy(id) == unix.SCHED_BATCH }},
	"slack": {func() error { return Slack(late) }, func(id int) bool {
		is, err := os.ReadFile(fmt.Sprintf("/proc/%d/timerslack_ns", id))
		return err == nil && string(is) == fmt.Sprintln(late.Nanoseconds())
	}},
}

func TestMain(m *testing.M) {
	p, is := processes[os.Getenv(role)]
	if !is {
		os.Exit(m.Run())
	}
	if err := p.do(); err != nil {
		println(err.Error())
		os.Exit(1)
	}
	for range 20 { // threads that are made afterwards
		made := make(chan bool)
		go func() {
			runtime.LockOSThread()
			made <- true
			select {}
		}()
		<-made
	}
	missed := 0
	_ = everyThread(func(id int) (bool, error) {
		if !p.done(id) {
			missed++
		}
		return false, nil
	})
	if missed > 0 {
		println("threads to which it was not done:", missed)
		os.Exit(1)
	}
	os.Exit(0)
}

// inProcess runs what processes has by a name.
func inProcess(t *testing.T, name string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), role+"="+name)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func TestAllThreadsAreOfTheBatch(t *testing.T) { inProcess(t, "batch") }

func TestAllThreadsMayBeLate(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may say so of all threads")
	}
	inProcess(t, "slack")
}

func TestANapIsShort(t *testing.T) {
	shortest, longest := time.Hour, time.Duration(0)
	for range 100 {
		from := time.Now()
		Nap(20 * time.Microsecond)
		took := time.Since(from)
		shortest, longest = min(shortest, took), max(longest, took)
	}
	if longest < 20*time.Microsecond || shortest >= time.Millisecond { // as time.Sleep takes
		t.Errorf("naps of 20 µs took %v to %v", shortest, longest)
	}
	if got := Late(); got <= 0 || got == Unbounded {
		t.Errorf("timers are %v late", got)
	}
}
