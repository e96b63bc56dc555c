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

// A ping that leaves before the peer's has been agreed upon can cost us our port at the peer's router: while a relay may yet come, none does.
func TestHuntWaitsForARelayThatIsComing(t *testing.T) {
	peer := []disco.Candidate{{Addr: netip.MustParseAddrPort("198.51.100.7:41641"), Kind: disco.ServerReflexive}}
	began := mono.Time(time.Second)
	cases := []struct {
		name  string
		after time.Duration // what happens then
		event func(f *Finder, now mono.Time, out *Decisions)
		offer bool          // an offer goes through the relay at that moment
		alone time.Duration // when pings leave without one; 0: they do not
	}{
		{"it comes", 60 * time.Millisecond, func(f *Finder, now mono.Time, out *Decisions) {
			f.Relay(now, 1, true, out)
			f.SetPeer(now, 1, Known{Candidates: peer, Relays: [4]uint8{1}}, out)
		}, true, 0},
		{"it will not come", 70 * time.Millisecond, func(f *Finder, now mono.Time, out *Decisions) {
			f.SetPeer(now, 1, Known{Candidates: peer}, out)
		}, false, 70 * time.Millisecond},
		{"nothing is heard of it", 80 * time.Millisecond, func(*Finder, mono.Time, *Decisions) {}, false, offerWait},
	}
	for _, c := range cases {
		f, out := NewFinder(Config{}, 1, &counter{}), Decisions{}
		f.SetPeer(began, 1, Known{Candidates: peer, Coming: true}, &out)
		f.Wanted(began, 1, &out)
		offers, alone, asked, told := 0, time.Duration(0), time.Duration(0), false
		for now := began; now < began.Add(offerWait+100*time.Millisecond) && (!c.offer || !told); now = now.Add(5 * time.Millisecond) {
			if told = now == began.Add(c.after); told {
				c.event(f, now, &out)
			}
			f.Tick(now, &out)
			for _, s := range out.Sends {
				switch {
				case s.Message.Kind == disco.Offer:
					offers++
				case s.Way.Direct() && alone == 0:
					alone = now.Sub(began)
				}
			}
			for _, e := range out.Events {
				if e.Kind == AskPunch {
					asked = now.Sub(began)
				}
			}
			out.Reset()
		}
		if c.offer != (offers == 1) || alone != c.alone || asked != c.alone {
			t.Errorf("%s: %d offers, pings after %v, the controller asked after %v", c.name, offers, alone, asked)
		}
	}
}

// What waits for a lane is not on its way yet: with that time in the round trip one side would begin too late.
func TestRoundTripBeginsWhenThePingLeaves(t *testing.T) {
	f := NewFinder(Config{}, 1, &counter{})
	now, out, through := mono.Time(time.Second), Decisions{}, Way{Relay: 1}
	f.Relay(now, 1, true, &out)
	f.SetPeer(now, 1, Known{Relays: [4]uint8{1}}, &out)
	f.Wanted(now, 1, &out)
	f.Tick(now, &out)
	ping := out.Sends[0].Message
	if ping.Kind != disco.Ping || out.Sends[0].Way != through {
		t.Fatalf("%+v", out.Sends)
	}
	now = now.Add(40 * time.Millisecond)
	f.Left(now, 1, through)
	now = now.Add(50 * time.Millisecond)
	f.Message(now, 1, through, disco.Message{Kind: disco.Pong, ID: ping.ID, Size: disco.MinPing}, &out)
	if rtt := f.peers[1].search.hunt.rtt; rtt != 50*time.Millisecond {
		t.Errorf("%v", rtt)
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
