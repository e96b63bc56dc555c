package disk

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecondProcessIsToldWhoHasTheLock(t *testing.T) {
	if path := os.Getenv("DISK_LOCK_HOLDER"); path != "" {
		if _, err := Acquire(path); err != nil {
			t.Fatal(err)
		}
		fmt.Println("held")
		select {} // until the parent kills us
	}
	path := filepath.Join(t.TempDir(), "lock")
	cmd := exec.Command(os.Args[0], "-test.run=^TestSecondProcessIsToldWhoHasTheLock$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), "DISK_LOCK_HOLDER="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if n, err := out.Read(make([]byte, 5)); err != nil || n == 0 {
		t.Fatalf("the holder says nothing: %v", err)
	}
	_, err = Acquire(path)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint(cmd.Process.Pid)) {
		t.Errorf("second lock: %v, want the process number %d in it", err, cmd.Process.Pid)
	}
	cmd.Process.Kill()
	cmd.Wait()
	l, err := Acquire(path)
	if err != nil {
		t.Fatalf("after the holder was killed: %v", err)
	}
	if _, err := Acquire(path); !errors.Is(err, ErrLocked) {
		t.Fatalf("twice in one process: %v", err)
	}
	l.Release()
	if l, err = Acquire(path); err != nil {
		t.Fatalf("after release: %v", err)
	}
	l.Release()
}
