package quantum

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/wg"
	"github.com/cvlan/cvlan/proto/disco"
)

// node is both machines of one node, joined as a tunnel joins them.
type node struct {
	secrets *Machine
	tunnel  *wg.Machine
	peer    key.WGPublic
	agreed  Out
	out     wg.Out
	held    bool
	current *wg.Session
	since   mono.Time
	send    func(*disco.Message, []byte)
}

func newNode(t *testing.T, seed byte, mine key.WGPrivate, peer key.WGPublic) *node {
	t.Helper()
	n := &node{secrets: New(mine.Public(), newRandom(seed)), peer: peer}
	var err error
	if n.tunnel, err = wg.New(wg.Config{Private: mine, Epoch: time.Unix(1e9, 0)}, newRandom(seed+100)); err != nil {
		t.Fatal(err)
	}
	if err := n.secrets.Put(peer); err != nil {
		t.Fatal(err)
	}
	n.share(1, Keys{})
	return n
}

func (n *node) share(now mono.Time, k Keys) {
	if err := n.tunnel.Put(now, wg.Peer{Public: n.peer, Guarded: true, Preshared: k.Current, Other: k.Other}, &n.out); err != nil {
		panic(err)
	}
}

// wish is what happens when a packet waits.
func (n *node) wish(now mono.Time) {
	if n.held = !n.secrets.Want(now, n.peer, &n.agreed); !n.held {
		n.tunnel.Wake(now, n.peer, &n.out)
	}
	n.act(now)
}

func (n *node) act(now mono.Time) {
	for _, e := range n.agreed.Events {
		switch e.Kind {
		case EventKeys:
			n.share(now, e.Keys)
		case EventShared:
			if n.held {
				n.held = false
				n.tunnel.Wake(now, n.peer, &n.out)
			}
		}
	}
	for _, e := range n.out.Events {
		switch e.Kind {
		case wg.EventCurrent:
			n.current, n.since = e.Session, now
		case wg.EventMismatch:
			n.secrets.Mismatch(now, n.peer, &n.agreed)
		}
	}
	for i := range n.agreed.Transmits {
		n.send(&n.agreed.Transmits[i].Message, nil)
	}
	for _, tr := range n.out.Transmits {
		n.send(nil, append([]byte(nil), tr.Data...))
	}
	n.agreed.Reset()
	n.out.Reset()
}

// road carries messages between two nodes, in order.
type road struct {
	now   mono.Time
	nodes [2]*node
	queue []parcel
}

type parcel struct {
	at   mono.Time
	to   int
	msg  *disco.Message
	data []byte
}

const oneWay = 25 * time.Millisecond

func (r *road) join(i int, n *node) {
	r.nodes[i] = n
	n.send = func(m *disco.Message, data []byte) {
		if m != nil {
			copied := *m
			m = &copied
		}
		r.queue = append(r.queue, parcel{r.now.Add(oneWay), 1 - i, m, data})
	}
}

func (r *road) run(d time.Duration) {
	for end := r.now.Add(d); ; {
		at := mono.Never
		if len(r.queue) > 0 {
			at = r.queue[0].at
		}
		for _, n := range r.nodes {
			at = mono.Earlier(at, mono.Earlier(n.secrets.Deadline(), n.tunnel.Deadline()))
		}
		if at.IsNever() || at > end {
			r.now = end
			return
		}
		r.now = max(r.now, at)
		for len(r.queue) > 0 && r.queue[0].at <= r.now {
			p := r.queue[0]
			r.queue = r.queue[1:]
			n := r.nodes[p.to]
			switch {
			case p.msg != nil:
				n.secrets.Part(r.now, n.peer, p.msg, &n.agreed)
			case wg.KindOf(p.data) != wg.KindTransport:
				n.tunnel.Handshake(r.now, wg.Origin{Source: 1}, p.data, &n.out)
			}
			n.act(r.now)
		}
		for _, n := range r.nodes {
			n.secrets.Tick(r.now, &n.agreed)
			n.tunnel.Tick(r.now, &n.out)
			n.act(r.now)
		}
	}
}

func TestTheFirstPacketArrivesAfterTwoAndAHalfRoundTrips(t *testing.T) {
	for first := range 2 {
		one, two := key.NewWGPrivate(), key.NewWGPrivate()
		r := &road{now: 1}
		r.join(0, newNode(t, 1, one, two.Public()))
		r.join(1, newNode(t, 2, two, one.Public()))
		r.nodes[first].wish(r.now)
		r.run(4 * oneWay)
		if n := r.nodes[first]; n.current == nil || n.since.Add(oneWay).Sub(1) != 5*oneWay {
			t.Errorf("side %d may send after %v", first, time.Duration(n.since))
		}
	}
}

// Whichever side restarts, and whichever speaks first then: both agree on another key at once, and the handshake follows.
func TestATunnelComesBackAfterARestart(t *testing.T) {
	for restarted := range 2 {
		for speaks := range 2 {
			one, two := key.NewWGPrivate(), key.NewWGPrivate()
			keys := [2]key.WGPrivate{one, two}
			r := &road{now: 1}
			r.join(0, newNode(t, 1, one, two.Public()))
			r.join(1, newNode(t, 2, two, one.Public()))
			r.nodes[0].wish(r.now)
			r.run(time.Minute)
			r.join(restarted, newNode(t, 3, keys[restarted], keys[1-restarted].Public()))
			began := r.now
			n := r.nodes[speaks]
			n.tunnel.Renew(r.now, n.peer, &n.out)
			n.wish(r.now)
			r.run(10 * time.Second)
			if n.since <= began || n.since.Sub(began) > 12*oneWay {
				t.Errorf("side %d restarted, side %d speaks: a session after %v", restarted, speaks, n.since.Sub(began))
			}
		}
	}
}
