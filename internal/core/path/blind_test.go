package path

import (
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/disco"
)

// As a rule the first packet wants a way some milliseconds before a relay leads to the peer: what has begun without it begins anew.
func TestBlindHuntEndsWhenARelayComes(t *testing.T) {
	f := NewFinder(Config{}, 1, &counter{})
	now, out := mono.Time(time.Second), Decisions{}
	peer := []disco.Candidate{{Addr: netip.MustParseAddrPort("198.51.100.7:41641"), Kind: disco.ServerReflexive}}
	f.SetPeer(now, 1, Known{Candidates: peer}, &out)
	f.Wanted(now, 1, &out)
	f.Tick(now, &out)
	if h := &f.peers[1].search.hunt; h.phase != punching || !h.blind {
		t.Fatalf("phase %d, blind %v", h.phase, h.blind)
	}
	now = now.Add(12 * time.Millisecond)
	f.Relay(now, 1, true, &out)
	f.SetPeer(now, 1, Known{Candidates: peer, Relays: [4]uint8{1}}, &out)
	out.Reset()
	f.Tick(now, &out)
	offers := 0
	for _, s := range out.Sends {
		if s.Message.Kind == disco.Offer && s.Way.Relay == 1 {
			offers++
		}
	}
	if h := &f.peers[1].search.hunt; offers != 1 || h.phase != offering || h.n != 1 {
		t.Fatalf("%d offers, phase %d, hunt %d", offers, h.phase, h.n)
	}
}

// While nothing leads to the peer any more, an offer that is due must not be due again at once.
func TestRelayLostInTheMiddleOfAnOfferIsNoSpin(t *testing.T) {
	f := NewFinder(Config{}, 1, &counter{})
	now, out := mono.Time(time.Second), Decisions{}
	f.Relay(now, 1, true, &out)
	f.SetPeer(now, 1, Known{Relays: [4]uint8{1}}, &out)
	f.Wanted(now, 1, &out)
	f.Tick(now, &out)
	if h := &f.peers[1].search.hunt; h.phase != offering {
		t.Fatalf("phase %d", h.phase)
	}
	now = now.Add(50 * time.Millisecond)
	f.Relay(now, 1, false, &out)
	ticks := 0
	for end := now.Add(offerWait); now < end && ticks < 100; ticks++ {
		out.Reset()
		f.Tick(now, &out)
		now = max(now, f.Deadline())
	}
	if ticks > 20 {
		t.Errorf("%d calls in %v", ticks, now.Sub(mono.Time(time.Second)))
	}
}

// counter is a source of numbers that are all different.
type counter struct{ n byte }

func (c *counter) Read(b []byte) (int, error) {
	for i := range b {
		c.n++
		b[i] = c.n
	}
	return len(b), nil
}

// The controller's word to start, which one side asked for before it had a relay, comes when both have one already.
func TestLatePunchDoesNotDisturbWhatIsAgreed(t *testing.T) {
	f := NewFinder(Config{}, 1, &counter{})
	now, out := mono.Time(time.Second), Decisions{}
	peer := []disco.Candidate{{Addr: netip.MustParseAddrPort("198.51.100.7:41641"), Kind: disco.ServerReflexive}}
	f.Relay(now, 1, true, &out)
	f.SetPeer(now, 1, Known{Candidates: peer, Relays: [4]uint8{1}}, &out)
	f.Wanted(now, 1, &out)
	f.Tick(now, &out)
	f.Punch(now.Add(20*time.Millisecond), 1, &out)
	if h := &f.peers[1].search.hunt; h.phase != offering {
		t.Fatalf("phase %d", h.phase)
	}
}
