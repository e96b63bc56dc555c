package wg_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/offload"
	"github.com/cvlan/cvlan/internal/core/offload/offloadtest"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// outer is what IPv4 and UDP add to a datagram.
const outer = 28

// through has an end believe that every path takes IP packets of as many bytes as there are in wide; of 0 it knows nothing.
func through(wide *atomic.Int32) func(*end) {
	return func(e *end) {
		e.config.PathMTU = func(netip.Addr) (int, error) {
			if n := wide.Load(); n > 0 {
				return int(n), nil
			}
			return 0, errors.New("no route")
		}
	}
}

// narrow is a pair, of which the first end knows how wide the path is.
func (w *world) narrow(wide int) (a, b *end, set *atomic.Int32) {
	set = new(atomic.Int32)
	set.Store(int32(wide))
	a, b = w.end(1, through(set)), w.end(2)
	for _, e := range []struct{ of, to *end }{{a, b}, {b, a}} {
		e.of.knows(e.to, func(c *tunnel.PeerConfig) { c.Allowed = append(c.Allowed, netip.PrefixFrom(six(e.to), 128)) })
	}
	w.talk(a, b, time.Second)
	w.Pass(passive + time.Second)
	return a, b, set
}

// six is an end's second address inside.
func six(e *end) netip.Addr { return netip.AddrFrom16([16]byte{0: 0xfd, 15: e.n}) }

// sized is a packet of so many bytes altogether.
func sized(from, to netip.Addr, size int) []byte {
	return packet(from, to, strings.Repeat("x", size-len(offloadtest.Header(from, to, 0, 0))))
}

// tooBig returns what the next packet to the host says that fits; 0: it is no such message, or there is none.
func (e *end) tooBig() int {
	e.w.Pass(time.Second)
	select {
	case p := <-e.twin.Arrived():
		if p[0]>>4 == 4 && p[9] == 1 && p[20] == 3 && p[21] == 4 {
			return int(binary.BigEndian.Uint16(p[26:]))
		}
		if p[0]>>4 == 6 && p[6] == 58 && p[40] == 2 {
			return int(binary.BigEndian.Uint32(p[44:]))
		}
	default:
	}
	return 0
}

func TestHostIsToldWhatANarrowPathTakes(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b, _ := w.narrow(1400)
		const fits = 1328 // 1400 without UDP, IPv4, what protocols add, and room for padding
		a4, b4, a6, b6 := a.addr, b.addr, six(a), six(b)
		for name, c := range map[string]struct {
			packet []byte
			passes bool
		}{
			"as large as fits":          {sized(a4, b4, fits), true},
			"one byte more":             {sized(a4, b4, fits+1), false},
			"the inside's full size":    {sized(a4, b4, 1380), false},
			"may be fragmented":         {fragmentable(sized(a4, b4, 1380)), true},
			"ipv6, as large as fits":    {sized(a6, b6, fits), true},
			"ipv6, one byte more":       {sized(a6, b6, fits+1), false},
			"what every path must take": {sized(a6, b6, 1280), true},
		} {
			before := a.dropped(tunnel.TooBig)
			a.twin.Send(c.packet)
			told := a.tooBig()
			arrived := b.heard()
			switch dropped := a.dropped(tunnel.TooBig) - before; {
			case c.passes && (told != 0 || len(arrived) != 1 || dropped != 0):
				w.Errorf("%s: %d have arrived, %d dropped, the host was told %d", name, len(arrived), dropped, told)
			case !c.passes && (told != fits || len(arrived) != 0 || dropped != 1):
				w.Errorf("%s: %d have arrived, %d dropped, the host was told %d", name, len(arrived), dropped, told)
			}
		}
		if n := a.of(b).Drops[tunnel.TooBig.String()]; n != 3 {
			w.Errorf("%d counted where they belong", n)
		}
	})
}

func TestWhatEveryPathMustTakeIsNeverRefused(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b, _ := w.narrow(576)
		a.twin.Send(sized(a.addr, b.addr, 1280))
		a.twin.Send(sized(six(a), six(b), 1280))
		w.Pass(time.Second)
		if n := len(b.heard()); n != 2 {
			w.Errorf("%d of 2 have arrived", n)
		}
		a.twin.Send(sized(a.addr, b.addr, 1281))
		if told := a.tooBig(); told != 1280 {
			w.Errorf("told %d", told)
		}
	})
}

// No datagram is larger than the path, whatever the packet in it, as long as that is larger than what every path must take.
func TestNoDatagramIsLargerThanThePath(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		for _, wide := range []int{1345, 1350, 1357, 1366, 1399, 1400, 1443, 1444, 1445, 1446, 1452, 1500} {
			a, b, _ := w.narrow(wide)
			largest := 0
			a.datagrams(func(d []byte) { largest = max(largest, len(d)+outer) })
			for size := 1280; size <= 1380; size++ {
				a.twin.Send(sized(a.addr, b.addr, size))
				w.Pass(noticeEvery)
			}
			w.Pass(time.Second)
			if n := len(b.heard()); largest > wide || n < 1 {
				w.Errorf("on a path of %d bytes %d packets have arrived, in datagrams of up to %d", wide, n, largest)
			}
			a.Close()
			b.Close()
		}
	})
}

// noticeEvery is how often the host is told at most, in the long run.
const noticeEvery = 10 * time.Millisecond

func TestTrainThatDoesNotFitIsRefusedAsAWhole(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b, _ := w.narrow(1400)
		a.twin.SendTrain(offloadtest.TCP(a.addr, b.addr, noise(20*1340), 1340))
		if told := a.tooBig(); told != 1328 {
			w.Errorf("told %d", told)
		}
		a.wantDrops(map[tunnel.Reason]uint64{tunnel.TooBig: 20})
		a.twin.SendTrain(offloadtest.TCP(a.addr, b.addr, noise(20*1288), 1288))
		w.Pass(time.Second)
		if n := len(b.heard()); n != 20 {
			w.Errorf("%d packets of a train that fits have arrived", n)
		}
	})
}

func TestHostIsNotFloodedWithWhatItAlreadyKnows(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b, _ := w.narrow(1400)
		for range 100 {
			a.twin.Send(sized(a.addr, b.addr, 1380))
		}
		w.Pass(time.Millisecond)
		if n := len(a.heard()); n != 10 {
			w.Errorf("told %d times at once", n)
		}
		w.Pass(time.Second)
		for range 1000 {
			a.twin.Send(sized(a.addr, b.addr, 1380))
			w.Pass(time.Millisecond)
		}
		if n := len(a.heard()); n < 100 || n > 112 {
			w.Errorf("told %d times in a second", n)
		}
		a.wantDrops(map[tunnel.Reason]uint64{tunnel.TooBig: 1100})
	})
}

// syn is a TCP segment that opens a connection and takes segments of this size.
func syn(from, to netip.Addr, mss uint16) []byte {
	return tcp(from, to, offloadtest.SYN, []byte{2, 4, byte(mss >> 8), byte(mss)}, nil)
}

// mssOf is what a SYN says, and whether its checksum is right.
func mssOf(p []byte) (mss int, sound bool) {
	start, addresses := 20, p[12:20]
	if p[0]>>4 == 6 {
		start, addresses = 40, p[8:40]
	}
	return int(binary.BigEndian.Uint16(p[start+22:])), offload.PseudoHeader(addresses, protoTCP, len(p)-start).Bytes(p[start:]).Fold() == 0xffff
}

func TestConnectionsAreOpenedWithSegmentsThatFitBothWays(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b, _ := w.narrow(1400) // only a knows how narrow it is
		for name, c := range map[string]struct {
			from, to *end
			packet   []byte
			want     int
		}{
			"out":          {a, b, syn(a.addr, b.addr, 1460), 1328 - 40},
			"in":           {b, a, syn(b.addr, a.addr, 1460), 1328 - 40},
			"out, ipv6":    {a, b, syn(six(a), six(b), 1440), 1328 - 60},
			"in, ipv6":     {b, a, syn(six(b), six(a), 1440), 1328 - 60},
			"small enough": {a, b, syn(a.addr, b.addr, 1200), 1200},
		} {
			sent := bytes.Clone(c.packet)
			c.from.twin.Send(c.packet)
			w.Pass(time.Second)
			select {
			case p := <-c.to.twin.Arrived():
				if mss, sound := mssOf(p); mss != c.want || !sound || len(p) != len(sent) {
					w.Errorf("%s: segments of %d bytes, the checksum is right: %v; want %d", name, mss, sound, c.want)
				}
			default:
				w.Errorf("%s: nothing has arrived", name)
			}
		}
	})
}

func TestNewWidthIsLearntWithTheNextSession(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b, wide := w.narrow(1500)
		told := func() int {
			a.twin.Send(sized(a.addr, b.addr, 1380))
			return a.tooBig()
		}
		for _, step := range []struct{ wide, told int }{{1400, 1328}, {1350, 1280}, {0, 1280}, {1500, 0}} {
			wide.Store(int32(step.wide))
			w.Pass(rejectAfter) // an idle session ends
			w.talk(a, b, time.Second)
			if n := told(); n != step.told {
				w.Errorf("with %d bytes the host was told %d, want %d", step.wide, n, step.told)
			}
			w.talk(a, b, time.Second)
		}
		wide.Store(1400)
		if n := told(); n != 0 {
			w.Errorf("it asks more often than it says: %d", n)
		}
		b.moves(40) // another place, another path
		w.talk(b, a, time.Second)
		if n := told(); n != 1328 {
			w.Errorf("of a new path the host was told %d", n)
		}
	})
}
