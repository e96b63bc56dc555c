package measure

import (
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"
)

func TestTimesAreReadFromTheRightFields(t *testing.T) {
	stat := "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 100 20 3 1 20 0 9 0 55 1000 200 1 1"
	if got, err := processTime([]byte(stat)); err != nil || got != 1240*time.Millisecond {
		t.Errorf("process time %v, %v", got, err)
	}
	if got, err := busyTime([]byte("cpu  10 1 20 9999 8888 2 3 4 5 6\ncpu0 1 2\n")); err != nil || got != 400*time.Millisecond {
		t.Errorf("busy time %v, %v", got, err)
	}
	for _, bad := range []string{"", "7 (a) S 1", "cpu 1 2", "intr 5"} {
		if _, err := processTime([]byte(bad)); err == nil {
			t.Errorf("a process time was read from %q", bad)
		}
		if _, err := busyTime([]byte(bad)); err == nil {
			t.Errorf("a busy time was read from %q", bad)
		}
	}
}

func TestWorkAndMemoryOfThisProcessAreSeen(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc")
	}
	before, err := Process(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	exact, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	busy, err := Busy()
	if err != nil {
		t.Fatal(err)
	}
	ballast := make([]byte, 64<<20)
	for end := time.Now().Add(200 * time.Millisecond); time.Now().Before(end); {
		for i := range ballast {
			ballast[i]++
		}
	}
	after, err := Process(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if worked := after.CPU - before.CPU; worked < 30*time.Millisecond || worked > 10*time.Second {
		t.Errorf("200 ms of work count as %v", worked)
	}
	if now, err := CPU(os.Getpid()); err != nil || now-exact < 30*time.Millisecond || now-exact > 10*time.Second || now-after.CPU < -20*time.Millisecond {
		t.Errorf("200 ms of work count exactly as %v, and %v in all where %v is in /proc; %v", now-exact, now, after.CPU, err)
	}
	if grown := after.RSS - before.RSS; grown < 60<<20 || grown > 1<<30 { // the race detector has shadows
		t.Errorf("64 MiB count as %d bytes", grown)
	}
	if after.PeakRSS < after.RSS {
		t.Errorf("the peak of %d bytes is below %d", after.PeakRSS, after.RSS)
	}
	if all, err := Busy(); err != nil || all-busy < 30*time.Millisecond {
		t.Errorf("200 ms of work kept the machine busy for %v, %v", all-busy, err)
	}
	runtime.KeepAlive(ballast)
}

func TestEndedProcessIsAnError(t *testing.T) {
	c := exec.Command(os.Args[0], "-test.run=^$")
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	if _, err := Process(c.Process.Pid); err == nil {
		t.Error("an ended process has a usage")
	}
	if _, err := CPU(c.Process.Pid); err == nil {
		t.Error("an ended process has used processor time")
	}
}
