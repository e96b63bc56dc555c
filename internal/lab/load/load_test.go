package load

import (
	"context"
	"net"
	"runtime"
	"testing"
	"time"
)

func TestStreamsCountAtTheReceiver(t *testing.T) {
	s := serveHere(t)
	for _, reverse := range []bool{false, true} {
		got, err := TCP(t.Context(), Streams{To: s, Streams: 3, For: 100 * time.Millisecond, Reverse: reverse})
		if err != nil {
			t.Fatal(err)
		}
		if got.Streams != 3 || got.Bytes < chunk || got.Seconds < 0.1 || got.Seconds > 60 {
			t.Errorf("reverse %v: %+v", reverse, got)
		}
		if want := float64(got.Bytes) * 8 / got.Seconds / 1e9; got.Gbps != want {
			t.Errorf("%v Gbit/s do not fit %d bytes in %v s", got.Gbps, got.Bytes, got.Seconds)
		}
		if known := runtime.GOOS == "linux" && !reverse; known != (got.Retransmits >= 0) || got.Retransmits < -1 {
			t.Errorf("reverse %v: %d segments sent again", reverse, got.Retransmits)
		}
	}
}

func TestEveryPingComesBackOnLoopback(t *testing.T) {
	got, err := Ping(t.Context(), Pings{To: serveHere(t), Count: 50, Gap: time.Millisecond, Wait: time.Minute})
	if err != nil || got.Sent != 50 || got.Received != 50 {
		t.Fatalf("%+v, %v", got, err)
	}
	if got.Min <= 0 || got.Min > got.P50 || got.P50 > got.P99 || got.P99 > got.Max {
		t.Errorf("times are not in order: %+v", got)
	}
}

func TestPingsToNobodyAreLost(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	got, err := Ping(t.Context(), Pings{To: c.LocalAddr().String(), Count: 5, Gap: time.Millisecond, Wait: 20 * time.Millisecond})
	if err != nil || got.Sent != 5 || got.Received != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCancelledLoadEndsAtOnce(t *testing.T) {
	s := serveHere(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := TCP(ctx, Streams{To: s, For: time.Minute}); err == nil {
		t.Error("a cancelled stream has a result")
	}
	if _, err := Ping(ctx, Pings{To: s, Count: 100, Gap: time.Second}); err == nil {
		t.Error("a cancelled ping has a result")
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %v to cancel", took)
	}
}

func TestTooMuchIsRefused(t *testing.T) {
	if _, err := TCP(t.Context(), Streams{To: "127.0.0.1:1", Streams: maxStreams + 1}); err == nil {
		t.Error("too many streams are taken")
	}
	if _, err := Ping(t.Context(), Pings{To: "127.0.0.1:1", Size: 3}); err == nil {
		t.Error("too small pings are taken")
	}
}

// serveHere starts a server for the test and waits for its end.
func serveHere(t *testing.T) string {
	t.Helper()
	s, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s.Addr().String()
}
