package verbstest

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// Run runs something that says when it is ready, until stop, which waits for its end; so does the end of the test.
func Run(t *testing.T, run func(ctx context.Context, ready func()) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- run(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-done:
		cancel()
		t.Fatalf("ended at once: %v", err)
	case <-time.After(30 * time.Second):
		cancel()
		t.Fatal("does not get ready")
	}
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("ends with %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// Port finds a port that nobody has, UDP and TCP.
func Port(t *testing.T) string {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp", ":0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		u, err := net.ListenPacket("udp", ":"+port)
		l.Close()
		if err == nil {
			u.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return ""
}

// Soon waits until something holds that nothing reports, and ends the test when it does not within the limit.
func Soon(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); !holds(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}
