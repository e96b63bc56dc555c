package ike

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
)

// strict is set in the environment of a process that tests strict FIPS mode.
const strict = "CVLAN_TEST_STRICT_FIPS"

// The profile for it works where the toolchain refuses everything that is not approved.
func TestTwoSidesMeetInStrictFIPSMode(t *testing.T) {
	if os.Getenv(strict) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestTwoSidesMeetInStrictFIPSMode$", "-test.v")
		cmd.Env = append(os.Environ(), strict+"=1", "GODEBUG=fips140=only")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	for _, profile := range []string{crypt.FIPS, crypt.CNSA1} {
		w := newWorld(t, 1, func(_ int, c *Config, _ *Peer) { c.Profile, _ = crypt.NewProfile(profile) })
		w.byKeys()
		w.side[0].initiate()
		w.run(time.Second)
		w.side[0].rekeyChild()
		w.side[1].rekey()
		w.settled()
		w.agree(1)
		t.Log(w.side[0].last(EventUp).Cipher)
	}
	w := newWorld(t, 1, func(_ int, c *Config, p *Peer) {
		c.Profile, _ = crypt.NewProfile(crypt.FIPS)
		p.Credential.Shared = []byte("short one") // less than 112 bits: refused, and not a panic
	})
	w.side[0].initiate()
	w.run(time.Second)
	if len(w.side[0].up) != 0 || w.side[0].last(EventDown).Reason != OwnFault {
		t.Error(w.story())
	}
}

// crowd is a responder that n peers have met.
func crowd(t testing.TB, n int) (*world, func()) {
	w := newWorld(t, 1, nil)
	b := w.side[1]
	return w, func() {
		for i := range n {
			a := w.side[0]
			a.peer.Name, a.peer.Local = fmt.Sprint(i), fqdn(fmt.Sprintf("a%d.example", i))
			b.peer.Name, b.peer.Remote = a.peer.Name, a.peer.Local
			a.addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 4500)
			a.initiate()
			w.run(100 * time.Millisecond)
			// Only the responder is measured: the other side forgets.
			a.m, _ = New(a.cfg, rand.Reader)
			a.up, a.live, a.spis, a.events, b.events, w.trace = map[ID]bool{}, map[uint32]ChildSA{}, map[uint32]bool{}, nil, nil, nil
		}
	}
}

// The budget of a session with one Child SA that has nothing to do.
func TestASessionIsSmall(t *testing.T) {
	const peers, budget = 150, 8 << 10
	w, meet := crowd(t, peers)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	meet()
	w.side[1].live, w.side[1].spis = nil, nil
	each := int64(heap()-before) / peers
	if n := len(w.side[1].m.sessions); n != peers {
		t.Fatalf("%d sessions\n%s", n, w.story())
	}
	t.Logf("%d bytes a session", each)
	if each > budget {
		t.Errorf("%d bytes a session, the budget is %d", each, budget)
	}
	runtime.KeepAlive(w)
}
