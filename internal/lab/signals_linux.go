package lab

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// signals are those that ask a program to end, caught to be passed on.
type signals chan os.Signal

// catch begins to collect; what comes before passTo waits.
func catch() signals {
	s := make(signals, 8)
	signal.Notify(s, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1)
	return s
}

// passTo hands every signal to a process until stop.
func (s signals) passTo(p *os.Process) (stop func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for sig := range s {
			_ = p.Signal(sig) // it may have ended
		}
	}()
	return func() {
		s.release()
		<-done
	}
}

func (s signals) release() {
	signal.Stop(s)
	close(s)
}
