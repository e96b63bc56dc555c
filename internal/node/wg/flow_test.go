package wg_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/offload"
	"github.com/cvlan/cvlan/internal/core/offload/offloadtest"
	"github.com/cvlan/cvlan/internal/node/flow"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/policy/filter"
)

// opens are the rules of an end: what it may open at another, and what the other may open here.
func opens(t *testing.T, self, other *end, out, in []filter.Span) *filter.Set {
	t.Helper()
	host := func(e *end) []filter.Place { return []filter.Place{{Prefix: netip.PrefixFrom(e.addr, 32)}} }
	set, err := filter.New(&filter.Spec{Local: host(self), Remote: host(other), Locals: 1, Remotes: 1,
		In: []filter.Pair{{List: 1}}, Out: []filter.Pair{{List: 2}}, Lists: [][]filter.Span{nil, in, out}})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// back turns a packet of TCP around: the answer to it.
func back(from, to netip.Addr, flags byte, payload []byte) []byte {
	s := offloadtest.Train(from, to, offload.TCP, flags, nil, payload, 0)
	p := s.Packet
	p[20], p[21], p[22], p[23] = p[22], p[23], p[20], p[21]
	return offloadtest.Finish(s)
}

// A connection with trains both ways, through two tunnels with rules at both ends; a change of the rules at one end cuts it.
func TestAConnectionLivesUnderRulesAtBothEnds(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		port := []filter.Span{{First: filter.TCP<<16 | 0x2000, Last: filter.TCP<<16 | 0x2000}}
		tables := map[*end]*flow.Table{a: flow.New(flow.Config{}), b: flow.New(flow.Config{})}
		tables[a].Swap(opens(t, a, b, port, nil))
		tables[b].Swap(opens(t, b, a, nil, port))
		for e, table := range tables {
			e.SetFilter(table)
		}
		arrive := func(e *end, want int) {
			w.Helper()
			w.Pass(time.Second)
			if n := len(e.twin.Arrived()); n != want {
				w.Errorf("%d packets have arrived at %d, want %d: %+v %+v", n, e.n, want, tables[a].Counters(), tables[b].Counters())
			}
			for len(e.twin.Arrived()) > 0 {
				<-e.twin.Arrived()
			}
		}
		b.twin.Send(tcp(b.addr, a.addr, offloadtest.SYN, nil, nil))
		arrive(a, 0) // b may open nothing
		a.twin.Send(tcp(a.addr, b.addr, offloadtest.SYN, nil, nil))
		arrive(b, 1)
		b.twin.Send(back(b.addr, a.addr, offloadtest.SYN|offloadtest.ACK, nil))
		arrive(a, 1)
		a.twin.SendTrain(offloadtest.TCP(a.addr, b.addr, noise(segments*1340), 1340))
		arrive(b, segments)
		for range 3 {
			b.twin.Send(back(b.addr, a.addr, offloadtest.ACK, noise(1340)))
		}
		arrive(a, 3)
		b.wantDrops(map[tunnel.Reason]uint64{tunnel.FilteredOut: 1})

		tables[b].Swap(opens(t, b, a, nil, nil)) // from now on nothing is allowed at b
		a.twin.SendTrain(offloadtest.TCP(a.addr, b.addr, noise(segments*1340), 1340))
		arrive(b, 0)
		b.twin.Send(back(b.addr, a.addr, offloadtest.ACK, noise(1340)))
		arrive(a, 0)
		b.wantDrops(map[tunnel.Reason]uint64{tunnel.FilteredOut: 2, tunnel.FilteredIn: segments})
		if all, _ := tables[b].Denials(0); len(all) != 3 || all[1].Src != a.addr || !all[1].In || all[1].Reason != filter.NoRule {
			w.Errorf("%+v", all)
		}
	})
}

// Who sends to a peer that the rules hide finds it in the log of denials, as everything else that is not let pass; what a host says to all in its
// reach, and what comes from a foreign address, does not stand there.
func TestWhatIsMeantForAHiddenPeerIsTold(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		table := flow.New(flow.Config{})
		table.Swap(opens(t, a, b, nil, nil))
		a.SetFilter(table)
		a.SetSources([]netip.Addr{a.addr})
		hidden := netip.MustParseAddr("10.77.0.3")
		for _, to := range []string{"224.0.0.251", "255.255.255.255"} {
			a.twin.Send(packet(a.addr, netip.MustParseAddr(to), "to all"))
		}
		a.twin.Send(packet(netip.MustParseAddr("10.1.1.1"), hidden, "foreign"))
		a.twin.Send(packet(a.addr, hidden, "lost"))
		w.Pass(time.Second)
		a.wantDrops(map[tunnel.Reason]uint64{tunnel.NoRoute: 4})
		if all, _ := table.Denials(0); len(all) != 1 || all[0].Dst != hidden || all[0].Reason != filter.UnknownDestination {
			w.Errorf("%+v", all)
		}
	})
}
