//go:build e2e && linux

package e2e

import (
	"testing"

	"github.com/cvlan/cvlan/api/local"
)

// A router that drops long packets without a word is found out by probes, and TCP goes on.
func TestALargeTransferPassesABlackHole(t *testing.T) {
	w := begin(t)
	_, n, s, _ := w.apart(0, "port", "port")
	n[0].reaches("n2", soon)
	n[0].reachesBy("n2", local.PathDirect, heals)
	n[1].reachesBy("n1", local.PathDirect, heals)
	s[0].BlackHole(1300)
	w.must(w.conversation(n[0].Host, n[1].Host, n[1].in(office).Self.Addresses[0], 1<<20))
	w.must(w.conversation(n[1].Host, n[0].Host, n[0].in(office).Self.Addresses[0], 1<<20))
}

// IPv6 cannot be told to send less than 1,280 bytes, which with all that is before them do not pass this one: they are cut inside.
func TestALargeTransferOfIPv6PassesABlackHole(t *testing.T) {
	w := begin(t)
	_, n, s, _ := w.apart(0, "port", "port")
	n[0].reaches("n2", soon)
	n[0].reachesBy("n2", local.PathDirect, heals)
	n[1].reachesBy("n1", local.PathDirect, heals)
	s[0].BlackHole(1300)
	w.must(w.conversation(n[0].Host, n[1].Host, n[1].in(office).Self.Addresses[1], 1<<20))
	w.must(w.conversation(n[1].Host, n[0].Host, n[0].in(office).Self.Addresses[1], 1<<20))
}

// The same between a node and the relay, on its way there and from there.
func TestALargeTransferPassesABlackHoleBeforeTheRelay(t *testing.T) {
	w := begin(t)
	_, n, s, _ := w.apart(0, "sym", "sym+mtu1300")
	n[0].reachesBy("n2", local.PathRelay, soon)
	w.must(w.conversation(n[0].Host, n[1].Host, n[1].in(office).Self.Addresses[0], 1<<20))
	w.must(w.conversation(n[1].Host, n[0].Host, n[0].in(office).Self.Addresses[0], 1<<20))
	s[0].BlackHole(1300)
	w.must(w.conversation(n[0].Host, n[1].Host, n[1].in(office).Self.Addresses[0], 1<<20))
	if path, _ := n[0].by("n2"); path != local.PathRelay {
		t.Errorf("it goes %q", path)
	}
}
