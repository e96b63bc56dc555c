package sched

import (
	"os"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

const role = "CVLAN_TEST_SCHED"

// TestMain lets a test have a process of its own: what Batch does stays done.
func TestMain(m *testing.M) {
	if os.Getenv(role) == "" {
		os.Exit(m.Run())
	}
	if err := Batch(); err != nil {
		println(err.Error())
		os.Exit(1)
	}
	for range 20 { // threads that are made afterwards
		bad := make(chan bool)
		go func() {
			runtime.LockOSThread()
			bad <- policy(unix.Gettid()) != unix.SCHED_BATCH
			select {}
		}()
		if <-bad {
			println("a new thread is scheduled otherwise")
			os.Exit(1)
		}
	}
	os.Exit(0)
}

func TestAllThreadsAreOfTheBatch(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), role+"=1")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
