package relayed

import (
	"bytes"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/relay"
)

var greetings = [][]byte{[]byte("the first sealed datagram"), []byte("the second sealed datagram"), []byte("the third sealed datagram"), []byte("the fourth sealed datagram"), []byte("one too many")}

// calls has the node ask for a channel to 9 and give what it has to say along, and tells how much of it was taken.
func (r *rig) calls() (taken int) {
	r.l.Want(r.now, 9, &r.out)
	for _, g := range greetings {
		if r.l.Call(r.now, 9, g, &r.out) {
			taken++
		}
	}
	r.act()
	return taken
}

func TestWhatIsSaidFirstTravelsWithTheQuestionForAChannel(t *testing.T) {
	r := newRig(t, Config{}, 20*ms)
	s := r.relays[0]
	s.calls, s.nodes[9] = true, true
	r.l.Put(r.now, 9, 1, &r.out)
	r.start()
	r.want("before there is a link it is taken", !r.l.Call(r.now, 9, greetings[0], &r.out))
	r.run(3 * time.Second)
	r.want("nobody has asked for a channel, and it is taken", !r.l.Call(r.now, 9, greetings[0], &r.out))
	n := r.calls()
	r.want("%d are taken", n == MaxCalls, n)
	r.run(25 * ms)
	r.want("%d were sent on after half a round trip", len(s.got) == MaxCalls && bytes.Equal(s.got[3], greetings[3]), len(s.got))
	r.run(time.Second)
	r.want("%d came back", r.count(Return) == 0, r.count(Return))
	r.want("there is no lane", r.lane(9).Channel == s.channels[9])
	r.want("on an open channel it is taken", !r.l.Call(r.now, 9, greetings[0], &r.out))
}

func TestWhatARelayDoesNotSendOnComesBack(t *testing.T) {
	for _, keeps := range []bool{true, false} {
		r := newRig(t, Config{}, 20*ms)
		s := r.relays[0]
		s.calls, s.keeps, s.nodes[9] = true, keeps, keeps // it opens and does not send on, or refuses
		r.l.Put(r.now, 9, 1, &r.out)
		r.start()
		r.run(3 * time.Second)
		r.calls()
		r.run(45 * ms)
		r.want("%d came back", r.count(Return) == MaxCalls && r.last(Return).Node == 9 && bytes.Equal(r.last(Return).Data, greetings[3]), r.count(Return))
	}
}

func TestAnOlderRelayIsNotCalled(t *testing.T) {
	r := reached(t, 1, 20*ms)
	r.run(3 * time.Second)
	n := r.calls()
	r.want("%d are taken", n == 0, n)
}

func TestAnOfferedChannelIsALane(t *testing.T) {
	r := reached(t, 1, 20*ms)
	r.run(3 * time.Second)
	s := r.relays[0]
	n := s.offer(r, 9)
	r.run(50 * ms)
	r.want("lane %v", r.lane(9).Channel == n, r.lane(9))
	r.calls()
	r.run(time.Second)
	r.want("it asks for what it has", s.asked[relay.Open] == 0 && r.lane(9).Channel == n)
	r.run(2 * idleChannel)
	r.want("it is kept for ever", r.lane(9).Channel == 0)
}

func TestAnOfferIsTakenOnceAndOnlyFromWhoIsKnown(t *testing.T) {
	r := reached(t, 1, 20*ms)
	r.run(3 * time.Second)
	s := r.relays[0]
	s.offers = 5
	n := s.offer(r, 9)
	r.run(50 * ms)
	s.offers = 3 // an old one, which somebody has kept
	s.offer(r, 9)
	r.run(50 * ms)
	r.want("lane %v, not %v", r.lane(9).Channel == n, r.lane(9).Channel, n)
	s.offers = 9
	closed := s.asked[relay.Close]
	s.offer(r, 55)
	r.run(50 * ms)
	r.want("a channel to a stranger stays open", s.asked[relay.Close] == closed+1 && len(r.l.Lanes(55)) == 0)
	for node := ident.Node(100); node < 150; node++ { // more than the relay has said that it allows
		r.l.Put(r.now, node, 1, &r.out)
		s.offer(r, node)
	}
	r.run(time.Second)
	r.want("%d channels", r.l.Status()[0].Channels <= 16, r.l.Status()[0].Channels)
}
