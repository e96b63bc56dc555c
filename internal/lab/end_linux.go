package lab

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// endProcesses kills every process in the host's network namespace, also those that left their parents, and waits
// until they are gone.
func (h *Host) endProcesses(limit time.Duration) error {
	for end := time.Now().Add(limit); ; {
		pids := h.processes()
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL) // it may end by itself meanwhile
		}
		if len(pids) == 0 {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("processes %v of %s do not end by SIGKILL", pids, h.name)
		}
		pause(2 * time.Millisecond)
	}
	for _, p := range h.Programs() {
		<-p.done
	}
	return nil
}

// processes lists the host's living processes by number.
func (h *Host) processes() []int {
	var own unix.Stat_t
	if unix.Fstat(int(h.spaces[0].file.Fd()), &own) != nil {
		return nil
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		var st unix.Stat_t // a zombie has no namespaces any more
		if unix.Stat("/proc/"+e.Name()+"/ns/net", &st) == nil && st.Ino == own.Ino && st.Dev == own.Dev {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Freeze stops all processes of the host, as a suspended machine does; Thaw lets them go on. The links stay up: see
// Unplug.
func (h *Host) Freeze() { h.signalAll(unix.SIGSTOP) }

// Thaw ends Freeze.
func (h *Host) Thaw() { h.signalAll(unix.SIGCONT) }

func (h *Host) signalAll(s unix.Signal) {
	for _, pid := range h.processes() {
		_ = unix.Kill(pid, s) // it may have ended
	}
}

// pause waits for the kernel, where there is nothing to select on.
func pause(d time.Duration) { <-time.After(d) }
