package guide

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/proto/relay"
)

// liar does with what a relay delivers whatever its owner could: it drops, repeats at once and much later, keeps back, changes bytes, and
// says that somebody else sent it. The relay's questions and answers pass.
type liar struct {
	sock.Socket

	mu   sync.Mutex
	rnd  *rand.Rand
	kept []sock.Train // of earlier calls
	did  [8]int
}

func (l *liar) Send(trains []sock.Train) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []sock.Train
	for _, t := range trains {
		size := t.Segment
		if size == 0 {
			size = len(t.Data)
		}
		for one := range slices.Chunk(t.Data, max(size, 1)) {
			out = l.lie(out, sock.Train{Data: slices.Clone(one), Remote: t.Remote, Local: t.Local})
		}
	}
	return l.Socket.Send(out)
}

// lie appends what is sent in the place of a datagram.
func (l *liar) lie(out []sock.Train, t sock.Train) []sock.Train {
	if _, _, _, err := relay.ReadDeliver(t.Data); err != nil {
		return append(out, t)
	}
	other := t
	if n := len(l.kept); n > 0 {
		other = l.kept[l.rnd.IntN(n)]
	}
	if l.kept = append(l.kept, sock.Train{Data: slices.Clone(t.Data), Remote: t.Remote, Local: t.Local}); len(l.kept) > 100 {
		l.kept = l.kept[1:]
	}
	what := l.rnd.IntN(2 * len(l.did)) // half of them pass
	if what < len(l.did) {
		l.did[what]++
	}
	switch what {
	case 0: // dropped
		return out
	case 1:
		return append(out, t, t)
	case 2: // said again
		return append(out, t, other)
	case 3: // out of order
		return append(out, other, t)
	case 4:
		t.Data[relay.HeaderSize+l.rnd.IntN(len(t.Data)-relay.HeaderSize)] ^= 1 << l.rnd.IntN(8)
	case 5: // somebody else's, said to be from him who sent this
		copy(t.Data[relay.HeaderSize:], other.Data[relay.HeaderSize:])
	case 6: // to somebody else
		t.Remote = other.Remote
	case 7: // said to be from somebody else
		copy(t.Data[8:relay.HeaderSize], other.Data[8:relay.HeaderSize])
	}
	return append(out, t)
}

// A relay that lies, drops, repeats and reorders costs packets and nothing else: what arrives is what was sent, once, from whom it says.
func TestARelayCanLosePacketsAndNoMore(t *testing.T) {
	tell(t, func(r *realm) {
		l := &liar{rnd: rand.New(rand.NewPCG(1, 2))}
		r.serveBehind(1, func(s sock.Socket) sock.Socket { l.Socket = s; return l })
		all := []*node{r.node(1), r.node(2), r.node(3)}
		time.Sleep(2 * time.Second)
		r.each(all, func(a, b *node) {
			a.knows(b)
			r.block(a.addr, b.addr, true)
		})
		came := map[[2]netip.Addr]map[uint32]bool{}
		next := 0
		speak := func(rounds int) {
			for range rounds {
				r.each(all, func(a, b *node) { a.says(b, next) })
				next++
				time.Sleep(25 * time.Millisecond)
				for _, n := range all {
					n.collect(came)
				}
			}
		}
		for len(came) < 6 && next < 4000 { // handshakes get lost as well, and are repeated every five seconds
			speak(40)
		}
		const rounds = 400
		first := next
		speak(rounds)
		r.each(all, func(a, b *node) {
			n := 0
			for number := range came[[2]netip.Addr{a.inner, b.inner}] {
				if int(number) >= first {
					n++
				}
			}
			if n < rounds/2 {
				t.Errorf("%d of %d packets have come from %v to %v", n, rounds, a.inner, b.inner)
			}
			if a.direct(b) {
				t.Errorf("%v reaches %v directly", a.inner, b.inner)
			}
		})
		l.mu.Lock()
		did := l.did
		l.mu.Unlock()
		for what, n := range did {
			if n < 20 {
				t.Errorf("lie %d was told %d times", what, n)
			}
		}
		for _, n := range all {
			for _, reason := range []string{"replayed", "forged", "unknown_sender"} {
				if n.drops(reason) == 0 {
					t.Errorf("nothing was %s: %v", reason, n.State().Drops)
				}
			}
		}
		r.each(all, func(a, b *node) { r.block(a.addr, b.addr, false) })
		chat(all[0], all[1], 90*time.Second) // offers get lost as well, and follow each other after a minute by now
		if !all[0].direct(all[1]) || !all[1].direct(all[0]) {
			t.Error("the relay keeps two from each other")
		}
	})
}

func (r *realm) each(all []*node, do func(a, b *node)) {
	for _, a := range all {
		for _, b := range all {
			if a != b {
				do(a, b)
			}
		}
	}
}

// collect takes the packets that have come to a node, each of which says whose it is and its number.
func (n *node) collect(came map[[2]netip.Addr]map[uint32]bool) {
	n.r.Helper()
	for len(n.twin.Arrived()) > 0 {
		p := <-n.twin.Arrived()
		way := [2]netip.Addr{netip.AddrFrom4([4]byte(p[12:16])), netip.AddrFrom4([4]byte(p[16:20]))}
		if len(p) != 24 || way[1] != n.inner || p[9] != 253 {
			n.r.Fatalf("%v got %x", n.inner, p)
		}
		number := binary.BigEndian.Uint32(p[20:])
		if came[way] == nil {
			came[way] = map[uint32]bool{}
		}
		if came[way][number] {
			n.r.Errorf("packet %d of %v came twice", number, way)
		}
		came[way][number] = true
	}
}
