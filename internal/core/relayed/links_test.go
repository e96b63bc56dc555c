package relayed

import (
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/relay"
)

const ms = time.Millisecond

// reached makes a world where node 9 is at home at the relay.
func reached(t *testing.T, home ident.Relay, delays ...time.Duration) *rig {
	r := newRig(t, Config{}, delays...)
	r.station(home).nodes[9] = true
	r.l.Put(r.now, 9, home, &r.out)
	r.start()
	return r
}

func TestAFreshNodeIsAtHomeSoonAndUDPTakesOver(t *testing.T) {
	r := newRig(t, Config{}, 10*ms)
	begin := r.now
	r.start()
	r.run(20 * time.Second)
	r.want("home is %v", r.last(Home).Relay == 1, r.last(Home).Relay)
	r.want("at home after %v, want three round trips", r.last(Home).at.Sub(begin) <= 60*ms, r.last(Home).at.Sub(begin))
	s := r.l.Status()
	r.want("status", len(s) == 1 && s[0].Up && !s[0].Carried && s[0].Home)
	r.want("the connection is still open: %v", len(r.conns) == 0, r.conns)
	r.want("seen at %v", r.last(Seen).Addr == r.me, r.last(Seen).Addr)
	r.want("%d registrations", r.relays[0].registers == 1, r.relays[0].registers)
}

func TestTheNearestRelayIsHome(t *testing.T) {
	r := newRig(t, Config{}, 40*ms, 15*ms, 5*ms, 30*ms)
	begin := r.now
	r.start()
	r.run(5 * time.Second)
	r.want("home is %v", r.last(Home).Relay == 3 && r.count(Home) == 1, r.last(Home).Relay)
	r.want("at home after %v", r.last(Home).at.Sub(begin) <= 100*ms, r.last(Home).at.Sub(begin))
	r.want("standby is not the second nearest", len(r.l.Status()) == 2 && r.relays[1].registers == 1)
}

func TestWhoKnowsItsHomeAsksNobody(t *testing.T) {
	r := newRig(t, Config{Home: 2}, 5*ms, 20*ms)
	begin := r.now
	r.start()
	r.run(3 * time.Second)
	first := r.last(Home)
	r.want("home is %v after %v", first.Relay == 2 && first.at.Sub(begin) == 120*ms, first.Relay, first.at.Sub(begin))
}

func TestBlockedUDPCostsNothingButTheConnection(t *testing.T) {
	r := newRig(t, Config{}, 20*ms, 30*ms)
	for _, s := range r.relays {
		s.noUDP = true
		s.nodes[9] = true
	}
	r.l.Put(r.now, 9, 1, &r.out)
	begin := r.now
	r.start()
	r.l.Want(r.now, 9, &r.out)
	r.act()
	r.run(time.Second)
	r.want("no lane", r.lane(9).Carried)
	r.want("a lane after %v", r.last(LaneUp).at.Sub(begin) <= 500*ms, r.last(LaneUp).at.Sub(begin))
	r.flow(9, time.Minute)
	r.want("link lost", r.count(Down) == 0)
	binds := r.relays[0].binds
	for _, s := range r.relays {
		s.noUDP = false
	}
	r.flow(9, time.Minute)
	r.want("UDP is not tried again", r.relays[0].binds > binds && !r.lane(9).Carried)
	r.want("%d registrations", r.relays[0].registers == 1, r.relays[0].registers)
}

func TestUDPThatIsBlockedLaterIsReplacedWithinTwoSeconds(t *testing.T) {
	r := reached(t, 1, 20*ms)
	r.flow(9, 5*time.Second)
	r.want("not by UDP", r.lane(9).Channel != 0 && !r.lane(9).Carried)
	r.relays[0].noUDP = true
	cut := r.now
	r.flow(9, 5*time.Second)
	r.want("not carried", r.lane(9).Channel != 0 && r.lane(9).Carried)
	r.want("replaced after %v", r.last(LaneUp).at.Sub(cut) <= 1300*ms, r.last(LaneUp).at.Sub(cut))
}

// The connection that is being made while UDP is in doubt is given up when UDP answers after all, and the registration stays as it was.
func TestAConnectionMadeInVainIsGivenUp(t *testing.T) {
	r := reached(t, 1, 20*ms)
	r.flow(9, 5*time.Second)
	lane, registers, cut := r.lane(9), r.relays[0].registers, r.now
	r.relays[0].noUDP = true
	for pulse := &r.l.slots[lane.Slot].pulse; pulse.asks < 2; {
		r.flow(9, 100*ms)
	}
	r.relays[0].noUDP = false
	r.flow(9, 5*time.Second)
	r.want("no connection was begun", cut.Before(r.last(Dial).at))
	r.want("it was not given up", r.last(Hangup).Conn == r.last(Dial).Conn)
	r.want("registered %d times, the lane is %v", r.relays[0].registers == registers && r.lane(9) == lane, r.relays[0].registers, r.lane(9))
}

// Who is about to need an idle link finds out at once whether it lives, and asks only once.
func TestAnIdleLinkThatIsCheckedIsKnownToBeDead(t *testing.T) {
	r := reached(t, 1, 20*ms)
	r.flow(9, 5*time.Second)
	r.run(12 * time.Second)
	asked := r.relays[0].asked[relay.Keepalive]
	for range 3 {
		r.l.Check(r.now, r.lane(9).Slot, &r.out)
		r.act()
		r.run(100 * ms)
	}
	r.want("asked %d times", r.relays[0].asked[relay.Keepalive] == asked+1, r.relays[0].asked[relay.Keepalive]-asked)
	r.relays[0].noUDP = true
	r.run(time.Second)
	cut := r.now
	for range 3 {
		r.l.Check(r.now, r.lane(9).Slot, &r.out)
		r.act()
		r.run(700 * ms)
	}
	r.want("it does not carry", r.lane(9).Channel != 0 && r.lane(9).Carried)
	r.want("known after %v", r.last(LaneUp).at.Sub(cut) <= 1000*ms, r.last(LaneUp).at.Sub(cut))
}

// A way past relays dies with the link that is to replace it: what is known of the link's doubt is not forgotten for that.
func TestADoubtedLinkStaysSoWhenAWayPastRelaysDies(t *testing.T) {
	r := reached(t, 1, 20*ms)
	r.flow(9, 5*time.Second)
	r.run(12 * time.Second)
	r.relays[0].noUDP = true
	cut := r.now
	r.l.Check(r.now, r.lane(9).Slot, &r.out)
	r.act()
	r.run(900 * ms)
	r.l.Readdressed(r.now, &r.out)
	r.act()
	r.flow(9, time.Second)
	r.want("it does not carry", r.lane(9).Channel != 0 && r.lane(9).Carried)
	r.want("known after %v", r.last(LaneUp).at.Sub(cut) <= 1000*ms, r.last(LaneUp).at.Sub(cut))
}

func TestAUsedRelayThatDiesIsReplacedWithinTwoSeconds(t *testing.T) {
	for _, carried := range []bool{false, true} {
		r := reached(t, 1, 20*ms, 30*ms)
		r.relays[1].nodes[9] = true // its standby
		for _, s := range r.relays {
			s.noUDP = carried
		}
		r.flow(9, 10*time.Second)
		r.want("the lane is not at home", r.lane(9).Slot == 1 && r.lane(9).Carried == carried)
		r.relays[0].dead = true
		cut := r.now
		for r.lane(9).Slot == 1 && r.now.Sub(cut) < 5*time.Second {
			r.flow(9, 100*ms)
		}
		r.want("another lane after %v", r.now.Sub(cut) <= 1500*ms, r.now.Sub(cut))
		r.flow(9, 2*time.Second)
		down := r.last(Down)
		r.want("down after %v", down.Relay == 1 && down.at.Sub(cut) <= 2*time.Second, down.at.Sub(cut))
		r.want("no new home", r.last(Home).Relay == 2)
		r.want("it was not told at once: %v", r.last(Home).at == down.at, r.last(Home).at.Sub(down.at))
	}
}

func TestAnIdleLinkAsksRarelyAndDiesToo(t *testing.T) {
	r := newRig(t, Config{}, 20*ms)
	r.start()
	r.run(time.Minute)
	before := r.relays[0].asked[relay.Keepalive]
	r.run(10 * time.Minute)
	asked := r.relays[0].asked[relay.Keepalive] - before
	r.want("%d keepalives in ten minutes", asked >= 29 && asked <= 31, asked)
	r.want("ticks: %d", r.ticks < 500, r.ticks)
	r.relays[0].dead = true
	cut := r.now
	r.run(time.Minute)
	r.want("down after %v", r.last(Down).at.Sub(cut) <= 22*time.Second, r.last(Down).at.Sub(cut))
}

func TestTheNATMayBeImpatient(t *testing.T) {
	r := newRig(t, Config{NATTimeout: 12 * time.Second}, 20*ms)
	r.start()
	r.run(2 * time.Minute)
	asked := r.relays[0].asked[relay.Keepalive]
	r.want("%d keepalives in two minutes", asked >= 11 && asked <= 14, asked)
	r.l.NATTimeout(r.now, 50*time.Second)
	r.run(2 * time.Minute)
	r.want("%d keepalives in two minutes", r.relays[0].asked[relay.Keepalive]-asked <= 5, r.relays[0].asked[relay.Keepalive]-asked)
}

func TestAnAddressThatChangesIsBoundAgain(t *testing.T) {
	for _, event := range []bool{false, true} {
		r := reached(t, 1, 20*ms)
		r.flow(9, 5*time.Second)
		r.me = netip.MustParseAddrPort("198.51.100.99:1234")
		moved := r.now
		if event {
			r.l.Moved(r.now, &r.out)
			r.act()
		}
		r.flow(9, 3*time.Second)
		want := 1200 * ms
		if event {
			want = 100 * ms
		}
		seen := r.last(Seen)
		r.want("seen at %v after %v", seen.Addr == r.me && seen.at.Sub(moved) <= want, seen.Addr, seen.at.Sub(moved))
		r.want("the link was lost", r.count(Down) == 0 && r.count(Lost) == 0 && r.relays[0].registers == 1)
	}
}

func TestARelayThatRestartsIsJoinedAgain(t *testing.T) {
	r := reached(t, 1, 20*ms)
	r.flow(9, 5*time.Second)
	r.relays[0].number = 0
	cut := r.now
	r.flow(9, 3*time.Second)
	r.want("%d registrations", r.relays[0].registers == 2, r.relays[0].registers)
	r.want("no lane again", r.lane(9).Channel != 0)
	r.want("back after %v", r.last(LaneUp).at.Sub(cut) <= 3*time.Second, r.last(LaneUp).at.Sub(cut))
}

func TestUnknownIsBelievedOnlyIfItEchoesAQuestion(t *testing.T) {
	r := reached(t, 1, 20*ms)
	r.flow(9, 5*time.Second)
	s := r.relays[0]
	for range 1000 {
		for _, number := range []relay.Number{s.number, r.lane(9).Channel} {
			n := relay.Notice{Kind: relay.Unknown, Number: number, Echo: r.rnd.Uint64()}
			r.l.Frame(r.now, s.addr, 0, n.Append(nil, nil), &r.out)
		}
	}
	asked := len(r.out.Transmits)
	r.act()
	r.run(10 * time.Second)
	r.want("it registered %d times; %d questions", s.registers == 1 && asked <= 1, s.registers, asked)
}

func TestAClosedChannelIsOpenedAgain(t *testing.T) {
	r := reached(t, 1, 20*ms)
	r.flow(9, 5*time.Second)
	s := r.relays[0]
	was := r.lane(9).Channel
	delete(s.channels, 9)
	n := relay.Notice{Kind: relay.Closed, Reason: relay.Gone, Number: was, Echo: 5}
	r.l.Frame(r.now, s.addr, 0, n.Append(nil, &s.secret), &r.out)
	r.act()
	r.flow(9, time.Second)
	r.want("channel %d after %d", r.lane(9).Channel != 0 && r.lane(9).Channel != was, r.lane(9).Channel, was)
	r.l.Frame(r.now, s.addr, 0, n.Append(nil, &s.secret), &r.out) // a replay
	r.act()
	r.want("a replay closes the new one", r.lane(9).Channel != 0)
}

func TestAnAbsentPeerIsLostAndFoundWhenItComes(t *testing.T) {
	r := newRig(t, Config{}, 20*ms)
	r.l.Put(r.now, 9, 1, &r.out)
	r.start()
	r.run(time.Second)
	r.want("coming though nobody wants it", !r.l.Coming(r.now, 9))
	r.l.Want(r.now, 9, &r.out)
	r.act()
	r.want("it may come, but is not coming", r.l.Coming(r.now, 9))
	r.run(5 * time.Second)
	r.want("still coming", !r.l.Coming(r.now, 9))
	r.want("lost for %v", r.count(Lost) == 1 && r.last(Lost).Reason == relay.Absent, r.last(Lost).Reason)
	r.want("%d questions", r.relays[0].asked[relay.Open] <= 4, r.relays[0].asked[relay.Open])
	r.relays[0].nodes[9] = true
	r.run(10 * time.Second)
	r.want("not found", r.lane(9).Channel != 0)
	r.want("coming though it is there", !r.l.Coming(r.now, 9))
}

func TestAPeerAtAnotherRelayIsReachedThere(t *testing.T) {
	r := reached(t, 2, 10*ms, 40*ms)
	r.run(500 * ms)
	begin := r.now
	r.l.Want(r.now, 9, &r.out)
	r.act()
	r.run(500 * ms)
	r.want("a lane in slot %d", r.lane(9).Slot != 0 && r.l.slots[r.lane(9).Slot].k.id == 2, r.lane(9).Slot)
	r.want("after %v", r.last(LaneUp).at.Sub(begin) <= 400*ms, r.last(LaneUp).at.Sub(begin))
	r.run(20 * time.Minute)
	r.want("the channel is not closed", r.lane(9).Channel == 0 && r.relays[1].asked[relay.Close] == 1)
}

func TestADrainingRelayIsLeftWithoutALoss(t *testing.T) {
	r := reached(t, 1, 10*ms, 20*ms)
	r.relays[1].nodes[9] = true
	r.flow(9, 5*time.Second)
	s := r.relays[0]
	bye := relay.Control{Kind: relay.Bye, Client: s.number, Transaction: 1}
	r.l.Frame(r.now, s.addr, 0, bye.Append(nil, &s.secret), &r.out)
	r.act()
	r.run(100 * ms)
	r.want("home is %v", r.last(Home).Relay == 2, r.last(Home).Relay)
	r.want("the lane is lost", r.count(Lost) == 0 && r.lane(9).Channel != 0)
}

func TestHomeMovesOnlyToWhatIsBetterForLong(t *testing.T) {
	r := newRig(t, Config{}, 20*ms, 30*ms)
	r.start()
	r.run(time.Minute)
	r.want("home is %v", r.last(Home).Relay == 1, r.last(Home).Relay)
	r.relays[1].delay = 18 * ms
	r.run(30 * time.Minute)
	r.want("home moved for 4 ms", r.count(Home) == 1)
	r.relays[1].delay = 5 * ms
	for r.l.wins < betterTimes-1 {
		r.run(10 * time.Second)
	}
	r.relays[1].delay = 50 * ms
	r.run(30 * time.Minute)
	r.want("home moved for a moment", r.count(Home) == 1)
	r.relays[1].delay = 5 * ms
	r.run(30 * time.Minute)
	r.want("home did not move", r.last(Home).Relay == 2)
}

func TestTagsAreExpectedForEveryLinkAndPeer(t *testing.T) {
	r := newRig(t, Config{}, 10*ms, 20*ms)
	r.start()
	r.run(3 * time.Second)
	r.l.Put(r.now, 9, 1, &r.out)
	r.act()
	r.relays[0].number = 0 // restart
	r.run(time.Minute)
	r.l.Remove(r.now, 9, &r.out)
	r.act()
	open := make(map[relay.Tag]relay.Number)
	for _, e := range r.events {
		switch e.Kind {
		case Expect:
			open[e.Tag] = e.Number
			s := r.station(e.Relay)
			r.want("address", e.Addr == s.addr && e.Node == 9)
		case Unexpect:
			if open[e.Tag] != e.Number {
				t.Error("not expected:", e.Tag, e.Number)
			}
			delete(open, e.Tag)
		}
	}
	r.want("%d tags expected, %d left", r.count(Expect) >= 3 && len(open) == 0, r.count(Expect), len(open))
}

func TestSlotsAreGivenToWhoNeedsThem(t *testing.T) {
	delays := make([]time.Duration, 20)
	for i := range delays {
		delays[i] = time.Duration(10+i) * ms
	}
	r := newRig(t, Config{}, delays...)
	for i, s := range r.relays {
		s.nodes[ident.Node(100+i)] = true
		r.l.Put(r.now, ident.Node(100+i), s.id, &r.out)
	}
	r.start()
	r.run(5 * time.Second)
	for i := range r.relays {
		r.l.Want(r.now, ident.Node(100+i), &r.out)
		r.act()
		r.run(15 * time.Second)
		r.want("node %d has no lane", r.lane(ident.Node(100+i)).Channel != 0, 100+i)
	}
	r.want("links: %d", len(r.l.Status()) == MaxSlots && r.l.home.id == 1, len(r.l.Status()))
	var in [MaxSlots + 1]ident.Relay // whose each slot is, as far as the owner was told
	for _, e := range r.events {
		switch e.Kind {
		case Dial:
			r.want("relay %d gets the slot of %d", in[e.Slot] == 0 || in[e.Slot] == e.Relay, e.Relay, in[e.Slot])
			in[e.Slot] = e.Relay
		case Vacant:
			in[e.Slot] = 0
		}
	}
}

func TestARelayThatRefusesIsAskedLessAndLess(t *testing.T) {
	r := newRig(t, Config{}, 10*ms)
	r.relays[0].refuse = relay.Busy
	r.start()
	r.run(time.Hour)
	n := r.count(Dial)
	r.want("%d registrations in an hour", n >= 100 && n < 200, n)
}

func TestALossyWayIsNoDeath(t *testing.T) {
	r := reached(t, 1, 20*ms)
	r.flow(9, 5*time.Second)
	for i := range 100 { // a tenth of the time is silence
		r.relays[0].noUDP = i%10 == 0
		r.flow(9, 100*ms)
	}
	r.want("down %d times", r.count(Down) == 0, r.count(Down))
}

func TestNothingIsLostWhenUDPTakesOver(t *testing.T) {
	r := reached(t, 1, 20*ms)
	r.l.Want(r.now, 9, &r.out)
	r.act()
	for range 600 { // a packet every 5 ms; those on their way when the relay changes its mind are the connection's last
		r.run(5 * ms)
		if lane := r.lane(9); lane.Slot != 0 {
			s, carried := r.relays[0], lane.Carried
			r.after(s.delay, func() {
				if carried && !s.joined || !carried && s.bound != r.me {
					r.missed++
				}
			})
		}
	}
	r.want("not by UDP", r.lane(9).Channel != 0 && !r.lane(9).Carried)
	r.want("%d packets lost", r.missed <= 1, r.missed)
}

func TestACookieWithoutMoreLeadsBackToTheConnection(t *testing.T) {
	r := reached(t, 1, 20*ms)
	r.relays[0].deaf = true
	r.l.Want(r.now, 9, &r.out)
	r.act()
	r.flow(9, 10*time.Second)
	r.want("not carried", r.lane(9).Channel != 0 && r.lane(9).Carried && r.relays[0].joined)
	changes := r.count(Up)
	r.flow(9, 5*time.Minute)
	r.want("it goes to and fro: %d times in five minutes", r.count(Up)-changes <= 22, r.count(Up)-changes)
	r.want("%d registrations", r.relays[0].registers == 1 && r.count(Down) == 0, r.relays[0].registers)
	r.relays[0].deaf = false
	r.flow(9, 70*time.Second)
	r.want("UDP is not tried again", !r.lane(9).Carried)
}

// The only relay says goodbye and is started again: an idle node is there again soon, and its first packet is not what finds out.
func TestTheOnlyRelayThatRestartsAsPlannedIsJoinedAgainThoughIdle(t *testing.T) {
	for _, away := range []time.Duration{100 * ms, 5 * time.Second, 30 * time.Second} {
		r := reached(t, 1, 20*ms)
		r.run(time.Minute)
		s := r.relays[0]
		bye := relay.Control{Kind: relay.Bye, Client: s.number, Reason: relay.Draining}
		r.l.Frame(r.now, s.addr, 0, bye.Append(nil, &s.secret), &r.out)
		r.act()
		asked := s.asked[relay.Keepalive]
		r.run(away)
		r.want("%d questions before it stops", s.asked[relay.Keepalive]-asked <= 2+int(min(away, byeSoon)/byeEvery)+int(away/byeSeldom), s.asked[relay.Keepalive]-asked)
		s.number = 0
		registered := s.registers
		patience := byeEvery + 200*ms
		if away > byeSoon {
			patience = byeSeldom + 200*ms
		}
		r.run(patience)
		r.want("not joined again %v after it has started", s.registers == registered+1, patience)
		asked = s.asked[relay.Keepalive]
		r.run(time.Minute)
		r.want("%d questions a minute after", s.asked[relay.Keepalive]-asked <= 4, s.asked[relay.Keepalive]-asked)
	}
}

func TestADrainingRelayIsToldWhenWeAreGone(t *testing.T) {
	r := newRig(t, Config{}, 10*ms, 20*ms)
	r.start()
	r.run(5 * time.Second)
	s := r.relays[0]
	bye := relay.Control{Kind: relay.Bye, Client: s.number, Reason: relay.Draining}
	r.l.Frame(r.now, s.addr, 0, bye.Append(nil, &s.secret), &r.out)
	r.act()
	begun := r.now
	for s.asked[relay.Bye] == 0 && r.now.Sub(begun) < time.Minute {
		r.run(100 * ms)
	}
	took := r.now.Sub(begun)
	r.want("gone after %v", took >= leaseLeast && took <= leaseLeast+time.Second && len(r.l.Status()) == 1, took)
}
