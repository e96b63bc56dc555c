package wg_test

import (
	"bytes"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/offload/offloadtest"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// rules let packets pass that do not have a word in them, and count how often they are asked.
type rules struct {
	out, in  string
	asked    [2]atomic.Int32
	received atomic.Int32 // bytes of the first packets that In was shown
}

func (r *rules) Out(_ mono.Time, p []byte, _ int, _ bool) bool {
	r.asked[0].Add(1)
	return r.out == "" || !bytes.Contains(p, []byte(r.out))
}

func (r *rules) In(_ mono.Time, p []byte, _ int, _ bool) bool {
	r.asked[1].Add(1)
	r.received.Add(int32(len(p)))
	return r.in == "" || !bytes.Contains(p, []byte(r.in))
}

func TestFilterIsAskedOnBothWays(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		a.SetFilter(&rules{out: "secret"})
		b.SetFilter(&rules{in: "virus"})
		for _, text := range []string{"a secret", "a virus", "a word"} {
			a.says(b, text)
		}
		w.Pass(time.Second)
		if all := strings.Join(b.heard(), ","); all != "a word" {
			w.Errorf("b hears %q", all)
		}
		a.wantDrops(map[tunnel.Reason]uint64{tunnel.FilteredOut: 1})
		b.wantDrops(map[tunnel.Reason]uint64{tunnel.FilteredIn: 1})
		a.SetFilter(nil)
		b.SetFilter(nil)
		for _, text := range []string{"a secret", "a virus", "a word"} {
			a.says(b, text)
		}
		w.Pass(time.Second)
		if n := len(b.heard()); n != 3 {
			w.Errorf("without a filter %d of 3 arrive", n)
		}
	})
}

func TestFilterIsAskedOnceATrain(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		w.talk(a, b, time.Second)
		out, in := &rules{}, &rules{}
		a.SetFilter(out)
		b.SetFilter(in)
		const trains = 7
		for range trains {
			a.twin.SendTrain(offloadtest.TCP(a.addr, b.addr, noise(segments*1340), 1340))
			w.Pass(rtt)
		}
		if n := len(b.twin.Arrived()); n != trains*segments {
			w.Errorf("%d packets have arrived", n)
		}
		if o, i := out.asked[0].Load(), in.asked[1].Load(); o != trains || i != trains {
			w.Errorf("asked %d times on the way out and %d on the way in, for %d trains", o, i, trains)
		}
		if n := in.received.Load(); n != trains*1380 {
			w.Errorf("shown %d bytes: not the first packet of each train", n)
		}
		if out.asked[1].Load()+in.asked[0].Load() != 0 {
			w.Error("asked the wrong way round")
		}
		in.in = string(noise(20))
		a.twin.SendTrain(offloadtest.TCP(a.addr, b.addr, noise(segments*1340), 1340))
		w.Pass(rtt)
		b.wantDrops(map[tunnel.Reason]uint64{tunnel.FilteredIn: segments})
	})
}

func TestForeignSourcesAreDroppedAtBothEnds(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		w.talk(a, b, time.Second)
		foreign := netip.MustParseAddr("10.77.0.9")
		a.twin.Send(packet(foreign, b.addr, "forged"))
		w.Pass(rtt)
		b.wantDrops(map[tunnel.Reason]uint64{tunnel.Spoofed: 1}) // b allows a its own address only
		if s := b.of(a); s.Drops[tunnel.Spoofed.String()] != 1 {
			w.Errorf("not counted where it belongs: %+v", s)
		}
		a.SetSources([]netip.Addr{a.addr, netip.MustParseAddr("fd77::1")})
		a.twin.Send(packet(foreign, b.addr, "forged"))
		a.twin.Send(packet(netip.MustParseAddr("fd77::9"), netip.MustParseAddr("fd77::2"), "to nobody"))
		a.twin.SendTrain(offloadtest.TCP(foreign, b.addr, noise(10*1340), 1340))
		w.talk(a, b, rtt)
		a.wantDrops(map[tunnel.Reason]uint64{tunnel.ForeignSource: 11, tunnel.NoRoute: 1})
		b.wantDrops(map[tunnel.Reason]uint64{tunnel.Spoofed: 1})
		if all := b.heard(); len(all) != 0 {
			w.Errorf("b hears %q", all)
		}
	})
}

func TestPacketsWithoutARouteAreCounted(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		for _, to := range []string{"10.77.0.3", "10.77.0.0", "8.8.8.8", "224.0.0.251", "255.255.255.255"} {
			a.twin.Send(packet(a.addr, netip.MustParseAddr(to), "lost"))
		}
		a.twin.Send(packet(netip.MustParseAddr("fe80::1"), netip.MustParseAddr("ff02::2"), "lost"))
		w.talk(a, b, time.Second)
		a.wantDrops(map[tunnel.Reason]uint64{tunnel.NoRoute: 6})
		if n := w.Carried(); n > 6 {
			w.Errorf("%d datagrams", n)
		}
	})
}
