package relayed

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/proto/relay"
)

// nearbyRig is a node at home at relay 1, and a peer, 9, at home at relay 2 of the same region.
func nearbyRig(t *testing.T, forwards bool) *rig {
	r := newRig(t, Config{Home: 1}, 5*ms, 10*ms, 30*ms)
	for _, s := range r.relays[:2] {
		s.region = "eu"
	}
	r.station(1).nodes[9] = forwards
	r.station(2).nodes[9] = true
	r.l.Put(r.now, 9, 2, &r.out)
	r.start()
	r.run(time.Second)
	return r
}

func TestOurOwnHomeForwardsInsideTheRegion(t *testing.T) {
	r := nearbyRig(t, true)
	begin := r.now
	r.l.Want(r.now, 9, &r.out)
	r.act()
	r.run(time.Second)
	r.want("the lane is not at home", r.lane(9).Slot == r.l.home.link.slot)
	r.want("a lane after %v", r.last(LaneUp).at.Sub(begin) <= 10*ms, r.last(LaneUp).at.Sub(begin))
	r.want("asked at the peer's home", r.station(2).asked[relay.Open] == 0)
}

func TestThePeersHomeServesWhereOursDoesNotForward(t *testing.T) {
	r := nearbyRig(t, false)
	begin := r.now
	r.l.Want(r.now, 9, &r.out)
	r.act()
	r.run(time.Second)
	r.want("the lane is not at the peer's home", r.lane(9).Slot != 0 && r.l.slots[r.lane(9).Slot].k.id == 2)
	r.want("a lane after %v", r.last(LaneUp).at.Sub(begin) <= 150*ms, r.last(LaneUp).at.Sub(begin))
	r.flow(9, time.Minute)
	r.want("our home is asked %d times a minute", r.station(1).asked[relay.Open] <= 10, r.station(1).asked[relay.Open])
}

func TestAnotherRegionIsReachedAtThePeersHome(t *testing.T) {
	r := newRig(t, Config{Home: 1}, 5*ms, 10*ms)
	r.station(1).region, r.station(2).region = "eu", "us"
	r.station(1).nodes[9], r.station(2).nodes[9] = true, true
	r.l.Put(r.now, 9, 2, &r.out)
	r.start()
	r.flow(9, 2*time.Second)
	r.want("the lane is not at the peer's home", r.l.slots[r.lane(9).Slot].k.id == 2)
}

func TestOurHomeThatDiesIsReplacedByOneThatForwards(t *testing.T) {
	r := newRig(t, Config{Home: 1}, 5*ms, 30*ms, 10*ms)
	for _, s := range r.relays {
		s.region, s.nodes[9] = "eu", true
	}
	r.l.Put(r.now, 9, 2, &r.out)
	r.start()
	r.flow(9, 5*time.Second)
	r.want("the lane is not at home", r.l.slots[r.lane(9).Slot].k.id == 1)
	r.station(1).dead = true
	cut := r.now
	for r.l.slots[r.lane(9).Slot].k.id == 1 && r.now.Sub(cut) < 5*time.Second {
		r.flow(9, 100*ms)
	}
	r.want("another lane after %v", r.now.Sub(cut) <= 1500*ms, r.now.Sub(cut))
}
