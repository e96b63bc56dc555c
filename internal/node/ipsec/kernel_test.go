package ipsec_test

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/lab/toyike"
	"github.com/cvlan/cvlan/internal/node/ipsec"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/xfrm"
)

var (
	errNo    = errors.New("this kernel does not do that")
	errTwice = errors.New("this kernel has that association")
)

// memory is a kernel that carries nothing: it remembers what it was told, and says what it is told to have carried.
type memory struct {
	mu       sync.Mutex // held by the test only while it writes: it reads when all is quiet
	sas      map[uint32]xfrm.SA
	used     map[uint32]xfrm.Use
	taken    []sock.Taking
	admitted []uint32          // peers
	leads    map[uint32]uint32 // peer -> SPI
	lost     bool              // it forgets what it has carried
	no       string            // what it does not do
	orders   []string
}

func (m *memory) Add(s xfrm.SA) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.no == "add" || m.no == "add in" && !s.Own {
		return errNo
	}
	if _, twice := m.sas[s.SPI]; twice {
		return errTwice
	}
	m.orders = append(m.orders, "add")
	m.sas[s.SPI] = s
	m.used[s.SPI] = xfrm.Use{Sent: s.Last, Received: s.Last}
	return nil
}

func (m *memory) Use(s xfrm.SA) (xfrm.Use, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used[s.SPI], nil
}

// now changes what it will say.
func (m *memory) now(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

func (m *memory) Remove(s xfrm.SA) (xfrm.Use, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.orders = append(m.orders, "remove")
	delete(m.sas, s.SPI)
	if m.lost {
		return xfrm.Use{}, xfrm.ErrLost
	}
	return m.used[s.SPI], nil
}

func (m *memory) Admit(w xfrm.Way) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.no == "admit" {
		return errNo
	}
	m.admitted = append(m.admitted, w.Peer)
	return nil
}

func (m *memory) Refuse(w xfrm.Way) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.orders = append(m.orders, "refuse")
	m.admitted = slices.DeleteFunc(m.admitted, func(p uint32) bool { return p == w.Peer })
	return nil
}

func (m *memory) Lead(w xfrm.Way, s xfrm.SA) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.no == "lead" {
		return errNo
	}
	m.leads[w.Peer] = s.SPI
	return nil
}

func (m *memory) Unlead(w xfrm.Way) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.leads, w.Peer)
	return nil
}

func (m *memory) Take(all []sock.Taking) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.no == "take" && len(all) > 0 {
		return errNo
	}
	m.taken = all
	return nil
}

func (m *memory) Source(netip.Addr) (netip.Addr, error) { return netip.MustParseAddr("192.0.2.1"), nil }

// lent has a's side start anew with a kernel, and both meet for a while.
func (w *world) lent(while time.Duration) *memory {
	w.Helper()
	m := &memory{sas: map[uint32]xfrm.SA{}, used: map[uint32]xfrm.Use{}, leads: map[uint32]uint32{}}
	w.lentTo(m, while)
	return m
}

func (w *world) lentTo(m *memory, while time.Duration) {
	w.Helper()
	w.a.Close()
	var build ipsec.BuildKeyer
	w.a.keyer, build = toyike.New(toyike.Config{Self: w.a.Name(), Secret: []byte("known to both"), Keys: w.a.keys})
	w.a.Start(w.Links, map[tunnel.Class]tunnel.Build{tunnel.IKE: ipsec.New(ipsec.Config{Keyer: build, Kernel: m, Port: 41641})})
	w.a.SetSources([]netip.Addr{w.a.Addr})
	w.a.Knows(w.b.End)
	w.a.Says(w.b.End, 0, 10)
	w.Pass(while)
	w.b.WantHeard(0, 10)
}

// A way changes to another address of ours as soon as a pair has been lent, as from IPv4 to IPv6. What comes there is not the kernel's, and is opened here from
// the first packet on. What comes where the kernel takes it may have been on its way: the kernel goes on.
func TestAWayThatChangesDuringALoanLosesNothing(t *testing.T) {
	for _, elsewhere := range []bool{true, false} {
		inWorld(t, gcm(), func(w *world) {
			m := w.lent(2 * rtt)
			lent := slices.Clone(m.taken)
			if elsewhere {
				if err := w.a.Sock.Move(netip.AddrFrom4([4]byte{192, 0, 2, 101})); err != nil {
					w.Fatal(err)
				}
				w.a.Wake() // a message of IKE tells b
				w.Pass(2 * rtt)
			}
			w.b.Says(w.a.End, 20, 30)
			w.Pass(3 * rtt)
			if elsewhere {
				w.a.WantHeard(20, 30)
			} else if w.a.Heard(); !slices.Equal(m.taken, lent) {
				w.Errorf("the kernel takes %v, and %v before", m.taken, lent)
			}
		})
	}
}

// nosy is a filter that wants to see every packet.
type nosy struct{}

func (nosy) Out(mono.Time, []byte, int, bool) bool { return true }
func (nosy) In(mono.Time, []byte, int, bool) bool  { return true }

func TestAPairIsLentWhileNothingIsFiltered(t *testing.T) {
	inWorld(t, gcm(), func(w *world) {
		m := w.lent(10 * time.Second)
		if len(m.sas) != 2 || len(m.taken) != 1 || len(m.admitted) != 1 || len(m.leads) != 1 {
			w.Fatalf("%+v", m)
		}
		out := m.leads[m.admitted[0]]
		m.now(func() { m.used[out] = xfrm.Use{Sent: 5000, Packets: 4900, Bytes: 4900 * 100} })
		w.Pass(10 * time.Second)
		if st := w.a.Of(w.b.End); st.TxPackets < 4900 {
			w.Errorf("%d packets were sent", st.TxPackets)
		}
		m.now(func() { m.used[out], m.orders = xfrm.Use{Sent: 6000}, nil })
		w.a.SetFilter(nosy{})
		w.a.Review()
		if len(m.sas)+len(m.taken)+len(m.admitted)+len(m.leads) > 0 || m.orders[0] != "refuse" {
			w.Errorf("%+v", m)
		}
		w.a.Says(w.b.End, 10, 20)
		w.Pass(time.Second)
		w.b.WantHeard(10, 20) // by numbers that the kernel has not used
		w.a.SetFilter(nil)
		w.a.Review()
		if len(m.taken) == 0 || len(m.leads) == 0 || m.leads[m.admitted[0]] == out && m.sas[out].Last < 6000 {
			w.Errorf("%+v", m)
		}
	})
}

func TestAPairOfUnknownNumbersIsUsedNoMore(t *testing.T) {
	inWorld(t, gcm(), func(w *world) {
		m := w.lent(10 * time.Second)
		was := m.taken[0].SPI
		m.now(func() { m.lost = true })
		w.a.SetFilter(nosy{})
		w.a.Review()
		w.Pass(10 * time.Second)
		w.a.Says(w.b.End, 10, 20)
		w.Pass(10 * time.Second)
		w.b.WantHeard(10, 20)
		m.now(func() { m.lost = false })
		w.a.SetFilter(nil)
		w.a.Review()
		if len(m.taken) != 1 || m.taken[0].SPI == was {
			w.Errorf("the kernel has %+v", m.taken)
		}
	})
}

// A kernel that does not do one thing or another costs nothing but its help, and gets what there is when it does. In the end it has nothing of ours.
func TestWhatTheKernelRefusesIsCarriedHere(t *testing.T) {
	for _, refusals := range [][]string{{"admit"}, {"add"}, {"add in"}, {"take"}, {"lead"}, {"add in", "take"}, {"lead", "add in", "take", "add"}} {
		inWorld(t, gcm(), func(w *world) {
			m := &memory{sas: map[uint32]xfrm.SA{}, used: map[uint32]xfrm.Use{}, leads: map[uint32]uint32{}, no: refusals[0]}
			w.lentTo(m, 10*time.Second)
			for _, next := range append(refusals[1:], "") {
				w.a.Says(w.b.End, 10, 20)
				w.Pass(time.Minute)
				w.b.WantHeard(10, 20)
				m.now(func() { m.no = next })
			}
			w.Pass(time.Minute)
			if len(m.sas) != 2 || len(m.taken) != 1 || len(m.leads) != 1 {
				w.Errorf("after it has refused to %v, the kernel has %+v", refusals, m)
			}
			w.a.SetFilter(nosy{})
			w.a.Review()
			if len(m.sas)+len(m.taken)+len(m.admitted)+len(m.leads) > 0 {
				w.Errorf("after it has refused to %v, the kernel keeps %+v", refusals, m)
			}
			w.a.Says(w.b.End, 20, 30)
			w.b.Says(w.a.End, 30, 40)
			w.Pass(time.Second)
			w.b.WantHeard(20, 30)
			w.a.WantHeard(30, 40)
		})
	}
}
