package lab

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// ready is what the sandbox's first process reports when everything stands; anything else is the reason why not.
const ready = "ready"

// initStage is the first process of the sandbox. It furnishes it, starts the program again inside, passes signals on
// and collects orphans, as the first process of a PID namespace must. When it returns the kernel ends all others.
func initStage() int {
	report := os.NewFile(3, "report")
	unix.CloseOnExec(3)
	caught := catch()
	p, err := startInside()
	if err != nil {
		caught.release()
		fmt.Fprintln(report, err)
		return 1
	}
	fmt.Fprintln(report, ready)
	report.Close()
	defer caught.passTo(p)()
	return reap(p.Pid)
}

func startInside() (*os.Process, error) {
	if err := furnish(); err != nil {
		return nil, err
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("find the working directory: %w", err)
	}
	p, err := os.StartProcess("/proc/self/exe", os.Args, &os.ProcAttr{
		Dir: dir, Env: append(without(os.Environ(), stageVar), stageVar+"="+stageInside),
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	if err != nil {
		return nil, fmt.Errorf("start this program in the sandbox: %w", err)
	}
	return p, nil
}

// reap waits for every process that ends, until the program itself does, and returns that one's exit code.
func reap(program int) int {
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, 0, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 1
		case pid == program && ws.Signaled():
			return 128 + int(ws.Signal())
		case pid == program:
			return ws.ExitStatus()
		}
	}
}

// without leaves variables out of an environment.
func without(env []string, names ...string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		return slices.Contains(names, name)
	})
}
