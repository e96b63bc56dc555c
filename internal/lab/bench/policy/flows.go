package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/lab/figure"
	"github.com/cvlan/cvlan/internal/lab/measure"
	"github.com/cvlan/cvlan/internal/node/flow"
	"github.com/cvlan/cvlan/policy/filter"
)

// filters measures what a packet costs that passes the filter: header taken apart, flow found, or rules asked and flow made. It is processor
// time, so that other programs of the machine disturb little; the packet lies in the cache, as it does behind the cryptography.
func filters(runs int) error {
	set, err := filter.New(spec())
	if err != nil {
		return err
	}
	passing, denied := packets(set, true), packets(set, false)
	for _, n := range []struct {
		name  string
		flows int
	}{{"filter_ns_hit", 1000}, {"filter_ns_hit_20k", 20_000}} {
		b := newBusy(set, passing, n.flows)
		if err := costs(runs, n.name, b.hit); err != nil {
			return err
		}
	}
	b := coming(set, passing)
	if err := costs(runs, "filter_ns_miss", b.come); err != nil {
		return err
	}
	fmt.Println("of", b.table.Counters().Flows, "flows")
	if err := costs(runs, "filter_ns_bare", newBare(b.begins).come); err != nil {
		return err
	}
	b.open(4 * flow.DefaultFlows)
	if err := costs(runs, "filter_ns_miss_full", b.open); err != nil {
		return err
	}
	fmt.Println("of", b.table.Counters().Flows, "flows")
	refused := endsOf(denied)
	if err := costs(runs, "filter_ns_denied", func(n int) { b.refuse(refused, n) }); err != nil {
		return err
	}
	if err := costs(runs, "filter_ns_rules", func(n int) {
		for i := range n {
			set.In(&passing[i%len(passing)], false)
		}
	}); err != nil {
		return err
	}
	least := newLookup()
	if err := costs(runs, "filter_ns_lookup", least.ask); err != nil {
		return err
	}
	if err := over(runs, "filter_miss_over_lookup", coming(set, passing).come, least.ask); err != nil {
		return err
	}
	allocs := testing.AllocsPerRun(10_000, func() {
		b.open(1)
		b.hit(1)
		b.refuse(refused, 1)
	})
	figure.Print(os.Stdout, "filter_allocs", allocs, "allocations", "")
	return nil
}

// costs takes a figure of processor time a packet; f is for a number of them.
func costs(runs int, name string, f func(n int)) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var failed error
	report(runs, name, "ns", func() float64 {
		ns, err := cost(f)
		failed = errors.Join(failed, err)
		return ns
	})
	if failed != nil {
		return fmt.Errorf("%s: %w", name, failed)
	}
	return nil
}

// over takes what a packet costs over what one of another kind does, in turns.
func over(runs int, name string, f, other func(n int)) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var failed error
	report(runs, name, "", func() float64 {
		x, err := cost(f)
		y, err2 := cost(other)
		failed = errors.Join(failed, err, err2)
		return x / y
	})
	if failed != nil {
		return fmt.Errorf("%s: %w", name, failed)
	}
	return nil
}

// cost is the processor time of a packet in nanoseconds: of the quickest fiftieth of many short runs, because what disturbs them only adds, and other
// machines of the same host do so for tenths of a second.
func cost(f func(n int)) (float64, error) {
	const packets, rounds = 4096, 1000
	var all []float64
	for range rounds {
		start, err := measure.Thread()
		if err != nil {
			return 0, err
		}
		f(packets)
		end, _ := measure.Thread()
		all = append(all, float64(end-start)/packets)
	}
	slices.Sort(all)
	return figure.Median(all[:rounds/50]), nil
}

// ends are a flow's as they stand in a header. They are small, so that they do not take the cache from what is measured.
type ends struct {
	addresses uint64
	ports     uint32
}

func endsOf(packets []filter.Packet) []ends {
	all := make([]ends, len(packets))
	for i, p := range packets {
		all[i] = ends{p.Src.Lo<<32 | p.Dst.Lo&0xffffffff, uint32(p.SrcPort)<<16 | uint32(p.DstPort)}
	}
	return all
}

// from is the same from another port.
func (e ends) from(port uint16) ends { return ends{e.addresses, uint32(port)<<16 | e.ports&0xffff} }

// busy is a Table with settled flows.
type busy struct {
	table   *flow.Table
	now     mono.Time
	at      int // of settled
	head    [40]byte
	settled []ends
	begins  []ends
	next    int    // of begins
	port    uint16 // of the next that begins
}

func newBusy(set *filter.Set, passing []filter.Packet, flows int) *busy {
	b := &busy{table: flow.New(flow.Config{}), now: mono.Time(time.Hour), begins: endsOf(passing)}
	b.table.Swap(set)
	b.head[0], b.head[3], b.head[8], b.head[9], b.head[32] = 0x45, 40, 64, filter.TCP, 5<<4
	for i := range flows {
		p := b.begins[i%len(passing)].from(uint16(32768 + i/len(passing)))
		b.send(p, filter.SYN)
		b.answer(filter.SYN | filter.ACK)
		b.send(p, filter.ACK)
		b.settled = append(b.settled, p)
	}
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(b.settled), func(i, j int) { b.settled[i], b.settled[j] = b.settled[j], b.settled[i] })
	return b
}

// coming is a Table in which as many flows live as come in two minutes.
func coming(set *filter.Set, passing []filter.Packet) *busy {
	b := newBusy(set, passing, 1)
	b.come(4 * flow.DefaultFlows)
	return b
}

// send takes a packet in.
func (b *busy) send(e ends, flags uint8) bool {
	binary.BigEndian.PutUint64(b.head[12:], e.addresses)
	binary.BigEndian.PutUint32(b.head[20:], e.ports)
	b.head[33] = flags
	return b.table.In(b.now, b.head[:], len(b.head), false)
}

// answer sends the last packet's answer out.
func (b *busy) answer(flags uint8) {
	h := b.head
	copy(h[12:], b.head[16:20])
	copy(h[16:], b.head[12:16])
	copy(h[20:], b.head[22:24])
	copy(h[22:], b.head[20:22])
	h[33] = flags
	b.table.Out(b.now, h[:], len(h), false)
}

// hit takes in segments, each of the next settled flow.
func (b *busy) hit(n int) {
	for range n {
		if b.at++; b.at == len(b.settled) {
			b.at = 0
		}
		if !b.send(b.settled[b.at], filter.ACK) {
			panic("a settled flow is dropped")
		}
	}
}

// come is open, each a while after the flow before, so that thousands of flows are there and one is forgotten for each that begins.
func (b *busy) come(n int) { b.begin(n, 2*time.Minute/beginning) }

// open takes in what begins flows: none that the table knows, until 2^28 others have come.
func (b *busy) open(n int) { b.begin(n, 0) }

func (b *busy) begin(n int, apart time.Duration) {
	for range n {
		b.now = b.now.Add(apart)
		if b.next++; b.next == len(b.begins) {
			b.next = 0
			b.port++
		}
		if !b.send(b.begins[b.next].from(b.port), filter.SYN) {
			panic("what is allowed is dropped")
		}
	}
}

// refuse takes in what may not begin.
func (b *busy) refuse(packets []ends, n int) {
	for i := range n {
		b.send(packets[i%len(packets)].from(uint16(i)), filter.SYN)
	}
}

// beginning is how many flows there are that have just begun.
const beginning = 4096

// bare is what a beginning would cost at least with what the language has: a map with a lock, of as many flows with keys and values as large, from
// which the oldest goes for each that comes. No header is taken apart, no rule asked, nothing told apart but by age.
type bare struct {
	mu     sync.Mutex
	flows  map[[5]uint64][2]uint64
	queue  [beginning][5]uint64
	count  int
	begins []ends
}

func newBare(begins []ends) *bare {
	b := &bare{flows: make(map[[5]uint64][2]uint64, beginning), begins: begins}
	b.come(beginning)
	return b
}

func (b *bare) come(n int) {
	for range n {
		b.count++
		e := b.begins[b.count%len(b.begins)]
		k := [5]uint64{0, e.addresses >> 32, 0, e.addresses & 0xffffffff, uint64(b.count)<<32 | uint64(e.ports)}
		old := &b.queue[b.count%beginning]
		b.mu.Lock()
		delete(b.flows, *old)
		b.flows[k] = [2]uint64{1, uint64(b.count)}
		b.mu.Unlock()
		*old = k
	}
}
