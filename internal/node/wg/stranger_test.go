package wg_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	core "github.com/cvlan/cvlan/internal/core/wg"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/sock"
)

// stranger is somebody with a socket.
type stranger struct {
	w *world
	*sock.Memory
}

func (w *world) stranger(n byte) *stranger {
	w.Helper()
	s, err := w.Network.Open(sock.Config{Buffer: 1 << 14}, place(n)) // enough to see that something has come
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { s.Close() })
	return &stranger{w, s}
}

// sends sends datagrams one by one.
func (s *stranger) sends(to netip.AddrPort, all ...[]byte) {
	for _, d := range all {
		if err := s.Send([]sock.Train{{Data: d, Remote: to}}); err != nil {
			s.w.Fatal(err)
		}
	}
}

// gets returns how many datagrams have come.
func (s *stranger) gets() (n int) {
	trains := make([]sock.Train, sock.Batch)
	go func() {
		time.Sleep(time.Second)
		s.Close()
	}()
	for {
		for i := range trains {
			trains[i].Data = make([]byte, sock.MaxTrain)
		}
		got, err := s.Receive(trains)
		if err != nil {
			return n
		}
		for i := range got {
			n += trains[i].Datagrams()
		}
	}
}

// recorded returns copies of what an end sends from now on.
func (e *end) recorded() *[][]byte {
	all := new([][]byte)
	e.datagrams(func(d []byte) { *all = append(*all, append([]byte(nil), d...)) })
	return all
}

// kind returns those of one kind.
func kind(k core.Kind, all [][]byte) (some [][]byte) {
	for _, d := range all {
		if core.KindOf(d) == k {
			some = append(some, append([]byte(nil), d...))
		}
	}
	return some
}

func changed(d []byte, f func([]byte)) []byte {
	d = append([]byte(nil), d...)
	f(d)
	return d
}

func TestReplayedDatagramsAreCountedAndComeToNothing(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		record := a.recorded()
		for range 20 {
			w.talk(a, b, time.Second)
		}
		all := *record
		a.datagrams(nil)
		packets, openings := kind(core.KindTransport, all), kind(core.KindInitiation, all)
		if len(packets) != 21 || len(openings) != 1 {
			w.Fatalf("%d packets and %d initiations recorded", len(packets), len(openings))
		}
		before := b.of(a)
		s := w.stranger(9)
		s.sends(b.at(), all...)
		s.sends(b.at(), all...)
		w.Pass(time.Second)
		b.wantDrops(map[tunnel.Reason]uint64{tunnel.Replayed: uint64(2 * len(all))})
		if n := len(b.heard()); n != 0 {
			w.Errorf("%d replayed packets have arrived", n)
		}
		if now := b.of(a); now.Endpoint != a.at() || now.RxPackets != before.RxPackets || !now.LastHandshake.Equal(before.LastHandshake) {
			w.Errorf("before %+v, after %+v", before, now)
		}
		w.talk(a, b, rtt)
		if n := s.gets(); n != 0 {
			w.Errorf("the stranger has got %d datagrams", n)
		}
	})
}

func TestForgedDatagramsAreCountedAndComeToNothing(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		record := a.recorded()
		w.talk(a, b, time.Second)
		a.datagrams(nil)
		data, opening := kind(core.KindTransport, *record)[0], kind(core.KindInitiation, *record)[0]
		ahead := changed(data, func(d []byte) { binary.LittleEndian.PutUint64(d[8:], 77) })
		s := w.stranger(9)
		s.sends(b.at(),
			ahead, ahead[:40], // with tags that cannot fit
			changed(ahead, func(d []byte) { d[len(d)-1]++ }),
			changed(data, func(d []byte) { binary.LittleEndian.PutUint64(d[8:], 1<<63) }), // a counter that nobody reaches
			changed(data, func(d []byte) { d[4]++ }),                                      // a session that nobody has
			data[:31], data[:16],                                                          // too short for a tag
			changed(opening, func(d []byte) { d[20]++ }), // MAC1 is wrong now
			opening[:147], append(opening, 0), opening[:4],
		)
		w.Pass(time.Second)
		b.wantDrops(map[tunnel.Reason]uint64{
			tunnel.Forged: 3, tunnel.Replayed: 1, tunnel.UnknownIndex: 1, tunnel.Unaddressed: 1, tunnel.Malformed: 2 + 3,
		})
		if n := len(b.heard()); n != 0 {
			w.Errorf("%d forged packets have arrived", n)
		}
		w.talk(a, b, rtt)
		if n := s.gets(); n != 0 {
			w.Errorf("the stranger has got %d datagrams", n)
		}
	})
}

func TestGarbageIsCountedAndComesToNothing(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		w.talk(a, b, time.Second)
		before, memory := b.of(a), b.State().Memory
		s, rnd := w.stranger(9), rand.New(rand.NewPCG(1, 2))
		const n = 5000
		for i := range n {
			d := make([]byte, 4+rnd.IntN(3000))
			for j := range d {
				d[j] = byte(rnd.Uint32())
			}
			if i%2 == 0 { // as if it were ours
				binary.LittleEndian.PutUint32(d, rnd.Uint32N(6))
			}
			s.sends(b.at(), d)
			if i%100 == 0 {
				w.Pass(10 * time.Millisecond)
			}
		}
		w.Pass(time.Second)
		total := uint64(0)
		for reason, count := range b.State().Drops {
			switch reason {
			case "unclaimed", "malformed", "unaddressed", "unknown_index", "crowded":
				total += count
			default:
				w.Errorf("%d are %s", count, reason)
			}
		}
		if total != n {
			w.Errorf("%d of %d counted", total, n)
		}
		if now := b.of(a); now.RxPackets != before.RxPackets || now.Endpoint != before.Endpoint || len(now.Drops) != 0 {
			w.Errorf("before %+v, after %+v", before, now)
		}
		if now := b.State().Memory; now != memory {
			w.Errorf("%d bytes of packet memory, %d before", now, memory)
		}
		w.talk(a, b, rtt)
		if n := s.gets(); n != 0 {
			w.Errorf("the stranger has got %d datagrams", n)
		}
	})
}

// What a link does to honest datagrams: each arrives once, whatever the order and however many copies there are.
func TestReorderedAndDoubledDatagramsArriveOnce(t *testing.T) {
	inWorld(t, 5, func(w *world) {
		a, b := w.pair()
		w.talk(a, b, time.Second)
		w.Change(func() { w.Twice, w.Jitter = 0.5, 10*rtt })
		const n = 2000
		for i := range n {
			a.says(b, string(binary.BigEndian.AppendUint32(nil, uint32(i))))
			time.Sleep(rtt / 40)
		}
		w.Pass(time.Second)
		seen, overtaken, last := map[string]bool{}, 0, ""
		for len(b.twin.Arrived()) > 0 {
			text := textOf(<-b.twin.Arrived())
			if seen[text] {
				w.Fatalf("%x came twice", text)
			}
			if text < last {
				overtaken++
			}
			seen[text], last = true, text
		}
		if len(seen) < 1000 || overtaken < 100 { // the device of the twin holds no more than a thousand
			w.Errorf("%d of %d have arrived, %d of them late", len(seen), n, overtaken)
		}
	})
}
