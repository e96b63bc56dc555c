package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The stages of a program that uses the laboratory, told by the environment: the program as it was started, the first
// process of the sandbox, and the program again inside.
const (
	stageVar    = "CVLAN_LAB_STAGE"
	stageInit   = "init"
	stageInside = "inside"
	stageAnchor = "anchor"                // see Keep
	reasonVar   = "CVLAN_LAB_UNAVAILABLE" // why not, for New
	userVar     = "CVLAN_LAB_USER"        // set in a sandbox with a user namespace of its own
)

// Main runs f in a laboratory inside a sandbox and returns the program's exit code: 0, 1 for an error, which is shown
// after the ends of the logs of all started programs, or ExitUnavailable. The context ends on SIGINT,
// SIGTERM and SIGHUP. Call it first thing in main: the program is started again inside, with the same arguments,
// working directory and standard streams.
func Main(f func(context.Context, *Lab) error) int {
	switch os.Getenv(stageVar) {
	case stageInit:
		return initStage()
	case stageInside:
		return inside(f)
	case stageAnchor:
		return anchorStage()
	}
	code, err := enter()
	if err != nil {
		return tell(err)
	}
	return code
}

// tell shows why the program ends and returns its exit code.
func tell(err error) int {
	fmt.Fprintln(os.Stderr, "lab:", err)
	if errors.Is(err, ErrUnavailable) {
		return ExitUnavailable
	}
	return 1
}

// TestMain runs a test binary inside a sandbox and returns its exit code: os.Exit(lab.TestMain(m)). Where that is
// impossible the tests run outside and New skips with the reason.
func TestMain(m *testing.M) int {
	switch os.Getenv(stageVar) {
	case stageInit:
		return initStage()
	case stageInside:
		runtime.LockOSThread() // see inside
		return m.Run()
	case stageAnchor:
		return anchorStage()
	}
	code, err := enter()
	if err == nil {
		return code
	}
	os.Setenv(reasonVar, err.Error())
	return m.Run()
}

// inside runs f. The main goroutine keeps the main thread for itself: /proc/self speaks of that thread, and a host's
// goroutine that took it along into another namespace could never give it back.
func inside(f func(context.Context, *Lab) error) (code int) {
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	err := runInside(ctx, f)
	if err != nil && !(ctx.Err() != nil && errors.Is(err, context.Canceled)) {
		return tell(err)
	}
	return 0
}

func runInside(ctx context.Context, f func(context.Context, *Lab) error) (err error) {
	l, err := open(func(err error) { panic(failure{err}) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	defer func() {
		if err != nil && !errors.Is(err, ErrUnavailable) {
			l.tails(func(s string) { fmt.Fprintln(os.Stderr, s) })
		}
	}()
	defer func() {
		if r := recover(); r != nil {
			fail, ok := r.(failure)
			if !ok {
				panic(r)
			}
			err = fail.error
		}
	}()
	return f(ctx, l)
}

// failure carries an error of the laboratory up to Main.
type failure struct{ error }

// enter starts the sandbox and stays until it is gone.
func enter() (int, error) {
	// The kernel ties the death signal of a child to the thread that made it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	report, w, err := os.Pipe()
	if err != nil {
		return 0, fmt.Errorf("make a pipe: %w", err)
	}
	defer report.Close()
	cmd, err := sandbox(w)
	if err != nil {
		w.Close()
		return 0, err
	}
	caught := catch()
	err = cmd.Start()
	w.Close()
	if err != nil {
		caught.release()
		return 0, refused(cmd.SysProcAttr, err)
	}
	defer caught.passTo(cmd.Process)()
	said, _ := io.ReadAll(io.LimitReader(report, 4096)) // nothing is an answer, too
	err = cmd.Wait()
	if reason := strings.TrimSpace(string(said)); reason != ready {
		if reason == "" {
			reason = fmt.Sprintf("the first process of the sandbox ended: %v", err)
		}
		return 0, fmt.Errorf("%w: %s", ErrUnavailable, reason)
	}
	return exitCode(cmd.ProcessState), nil
}

// sandbox prepares this program as the first process of a sandbox, which reports on w.
func sandbox(w *os.File) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := &exec.Cmd{
		Path: self, Args: os.Args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Env: append(os.Environ(), stageVar+"="+stageInit), ExtraFiles: []*os.File{w},
		SysProcAttr: sandboxAttr(),
	}
	if cmd.SysProcAttr.Cloneflags&unix.CLONE_NEWUSER != 0 {
		cmd.Env = append(cmd.Env, userVar+"=yes")
	}
	return cmd, nil
}

// sandboxAttr asks for the namespaces, and for a process group of its own: a ctrl-C of the terminal arrives once, here,
// and is passed on.
func sandboxAttr() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		Pdeathsig:  unix.SIGKILL,
		Setpgid:    true,
	}
	if !hasSysAdmin() {
		a.Cloneflags |= unix.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return a
}

func hasSysAdmin() bool {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	return unix.Capget(&hdr, &data[0]) == nil && data[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
}

// refused says what the machine did not allow, and what would.
func refused(a *syscall.SysProcAttr, err error) error {
	if a.Cloneflags&unix.CLONE_NEWUSER == 0 {
		return fmt.Errorf("%w: cannot make namespaces: %v; run it on the machine itself or in a privileged container", ErrUnavailable, err)
	}
	hint := "run it as root, or allow user namespaces (sysctl user.max_user_namespaces; kernel.unprivileged_userns_clone=1 or kernel.apparmor_restrict_unprivileged_userns=0 where they exist)"
	return fmt.Errorf("%w: cannot make a user namespace: %v; %s", ErrUnavailable, err, hint)
}

// exitCode is a process's exit code as a shell tells it: 128 and the signal's number for one that a signal ended.
func exitCode(s *os.ProcessState) int {
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return s.ExitCode()
}
