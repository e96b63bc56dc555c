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
	for i := range 4 * flow.DefaultFlows {
		b.open(i)
	}
	if err := costs(runs, "filter_ns_miss_full", b.open); err != nil {
		return err
	}
	fmt.Println("of", b.table.Counters().Flows, "flows")
	refused := endsOf(denied)
	if err := costs(runs, "filter_ns_denied", func(i int) { b.send(refused[i%len(refused)], filter.SYN, uint16(i)) }); err != nil {
		return err
	}
	if err := costs(runs, "filter_ns_rules", func(i int) { set.In(&passing[i%len(passing)], false) }); err != nil {
		return err
	}
	least := newLookup()
	ask := func(i int) { least.ask(i) }
	if err := costs(runs, "filter_ns_lookup", ask); err != nil {
		return err
	}
	if err := over(runs, "filter_miss_over_lookup", coming(set, passing).come, ask); err != nil {
		return err
	}
	i := 0
	allocs := testing.AllocsPerRun(10_000, func() {
		i++
		b.open(i)
		b.hit(i)
		b.send(refused[i%len(refused)], filter.SYN, uint16(i))
	})
	figure.Print(os.Stdout, "filter_allocs", allocs, "allocations", "")
	return nil
}

// costs takes a figure of processor time a call.
func costs(runs int, name string, f func(i int)) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var failed error
	i := 0
	report(runs, name, "ns", func() float64 {
		ns, err := cost(f, &i)
		failed = errors.Join(failed, err)
		return ns
	})
	if failed != nil {
		return fmt.Errorf("%s: %w", name, failed)
	}
	return nil
}

// over takes what a call costs over what another does, in turns.
func over(runs int, name string, f, other func(i int)) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var failed error
	i, j := 0, 0
	report(runs, name, "", func() float64 {
		x, err := cost(f, &i)
		y, err2 := cost(other, &j)
		failed = errors.Join(failed, err, err2)
		return x / y
	})
	if failed != nil {
		return fmt.Errorf("%s: %w", name, failed)
	}
	return nil
}

// cost is the processor time of a call in nanoseconds: of the quickest tenth of many short runs, because what disturbs them only adds.
func cost(f func(i int), i *int) (float64, error) {
	const calls, rounds = 4096, 200
	var all []float64
	for range rounds {
		start, err := measure.Thread()
		if err != nil {
			return 0, err
		}
		for range calls {
			f(*i)
			*i++
		}
		end, _ := measure.Thread()
		all = append(all, float64(end-start)/calls)
	}
	slices.Sort(all)
	return figure.Median(all[:rounds/10]), nil
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
		p, port := b.begins[i%len(passing)], uint16(32768+i/len(passing))
		b.send(p, filter.SYN, port)
		b.answer(filter.SYN | filter.ACK)
		b.send(p, filter.ACK, port)
		b.settled = append(b.settled, ends{binary.BigEndian.Uint64(b.head[12:]), binary.BigEndian.Uint32(b.head[20:])})
	}
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(b.settled), func(i, j int) { b.settled[i], b.settled[j] = b.settled[j], b.settled[i] })
	return b
}

// coming is a Table in which as many flows live as come in two minutes.
func coming(set *filter.Set, passing []filter.Packet) *busy {
	b := newBusy(set, passing, 1)
	for i := range 4 * flow.DefaultFlows {
		b.come(i)
	}
	return b
}

// send takes a packet in from a port.
func (b *busy) send(e ends, flags uint8, port uint16) bool {
	binary.BigEndian.PutUint64(b.head[12:], e.addresses)
	binary.BigEndian.PutUint32(b.head[20:], uint32(port)<<16|e.ports&0xffff)
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

// hit takes in a segment of the next settled flow.
func (b *busy) hit(int) {
	if b.at++; b.at == len(b.settled) {
		b.at = 0
	}
	x := &b.settled[b.at]
	binary.BigEndian.PutUint64(b.head[12:], x.addresses)
	binary.BigEndian.PutUint32(b.head[20:], x.ports)
	b.head[33] = filter.ACK
	if !b.table.In(b.now, b.head[:], len(b.head), false) {
		panic("a settled flow is dropped")
	}
}

// come is open, a while after the flow before, so that thousands of flows are there and one is forgotten for each that begins.
func (b *busy) come(i int) {
	b.now = b.now.Add(2 * time.Minute / beginning)
	b.open(i)
}

// beginning is how many flows there are that have just begun.
const beginning = 4096

// bare is what a beginning would cost at least with what the language has: a map with a lock, of as many flows with keys and values as large, from
// which the oldest goes for each that comes. No header is taken apart, no rule asked, nothing told apart but by age.
type bare struct {
	mu     sync.Mutex
	flows  map[[5]uint64][2]uint64
	queue  [beginning][5]uint64
	begins []ends
}

func newBare(begins []ends) *bare {
	b := &bare{flows: make(map[[5]uint64][2]uint64, beginning), begins: begins}
	for i := range beginning {
		b.come(-1 - i)
	}
	return b
}

func (b *bare) come(i int) {
	e := b.begins[uint(i)%uint(len(b.begins))]
	k := [5]uint64{0, e.addresses >> 32, 0, e.addresses & 0xffffffff, uint64(i)<<32 | uint64(e.ports)}
	old := &b.queue[uint(i)%beginning]
	b.mu.Lock()
	delete(b.flows, *old)
	b.flows[k] = [2]uint64{1, uint64(i)}
	b.mu.Unlock()
	*old = k
}

// open takes in what begins a flow: none that the table knows, until 2^28 others have come.
func (b *busy) open(int) {
	if b.next++; b.next == len(b.begins) {
		b.next = 0
		b.port++
	}
	if !b.send(b.begins[b.next], filter.SYN, b.port) {
		panic("what is allowed is dropped")
	}
}
