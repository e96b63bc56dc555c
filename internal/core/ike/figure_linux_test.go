//go:build !race

package ike

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"flag"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

var crowdSize = flag.Int("sas", 300, "sessions of TestFigureOfMemory")

// onThread is the processor's time that this thread has used: neighbours do not count, nor does the other side, which is another computer.
func onThread() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &u) // it fails for numbers that are none
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// What a meeting costs the one who is called, with X25519, ML-KEM-768 and keys of P-256.
func TestFigureOfResponder(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const rounds = 200
	best := 1000.0
	for range 3 {
		var spent time.Duration
		for range rounds {
			spent += responds(t, key)
		}
		best = min(best, float64(spent.Microseconds())/rounds/1000)
	}
	t.Logf("FIGURE ike_responder_ms %.3f", best)
}

// responds is what one meeting costs the second side.
func responds(t *testing.T, key *ecdsa.PrivateKey) (spent time.Duration) {
	w := newWorld(t, 1, func(_ int, _ *Config, p *Peer) { p.Credential = crypt.Credential{Key: key} })
	for _, s := range w.side {
		s.judge = func(msg.Identity, []msg.Cert) (crypt.Evidence, error) {
			return crypt.Evidence{Public: key.Public()}, nil
		}
	}
	w.side[0].initiate()
	for len(w.flight) > 0 {
		f := w.flight[0]
		w.flight = w.flight[1:]
		to := w.side[f.to]
		start := onThread()
		to.m.Datagram(w.now, f.path, f.data, &to.out)
		if f.to == 1 {
			spent += onThread() - start
		}
		to.flush()
	}
	if len(w.side[1].up) != 1 {
		t.Fatal(w.story())
	}
	return spent
}

// 10,000 sessions, each with a Child SA, fit into 100 MB.
func TestFigureOfMemory(t *testing.T) {
	w, meet := crowd(t, *crowdSize)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse
	}
	before := heap()
	meet()
	w.side[1].live, w.side[1].spis = nil, nil
	mb := float64(heap()-before) / (1 << 20)
	if n := len(w.side[1].m.sessions); n != *crowdSize {
		t.Fatalf("%d sessions", n)
	}
	t.Logf("FIGURE ike_%d_sas_mb %.1f", *crowdSize, mb)
	if mb > float64(*crowdSize)/100 {
		t.Errorf("%.1f MB for %d", mb, *crowdSize)
	}
	runtime.KeepAlive(w)
}
