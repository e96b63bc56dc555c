package sock

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// kernel plays sendmmsg(2): it takes messages as judge says and remembers what they were.
type kernel struct {
	judge func(m shot) unix.Errno
	most  int // messages a call; 0: all
	calls int
	took  []shot
}

// shot is one message.
type shot struct {
	data, segment int
	to            netip.AddrPort
	from          netip.Addr
}

func (k *kernel) sendmmsg(_ uintptr, msgs []unix.Mmsghdr) (int, unix.Errno) {
	k.calls++
	for i := range msgs {
		if k.most > 0 && i == k.most {
			return i, 0
		}
		m := parse(&msgs[i].Hdr)
		if e := k.judge(m); e != 0 && i > 0 {
			return i, 0 // as the kernel does: the next call will tell
		} else if e != 0 {
			return -1, e
		}
		k.took = append(k.took, m)
	}
	return len(msgs), 0
}

// on opens a socket on a kernel.
func (k *kernel) on(t *testing.T) *udp {
	u := mustOpen(t, Open, Config{}).(*udp)
	u.gso.Store(true)
	u.sendmmsg = k.sendmmsg
	return u
}

var (
	peer = netip.MustParseAddrPort("192.0.2.9:4500")
	ours = netip.MustParseAddr("192.0.2.1")
)

func (s shot) String() string { return fmt.Sprintf("%d/%d", s.data, s.segment) }

// expect compares what the kernel took, written as bytes/segment.
func (k *kernel) expect(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, s := range k.took {
		got = append(got, s.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("the kernel took %q, want %q", got, want)
	}
}

func send(t *testing.T, u *udp, trains ...Train) {
	t.Helper()
	if err := u.Send(trains); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutChecksumOffloadNoTrainIsTriedAgain(t *testing.T) {
	k := &kernel{judge: func(m shot) unix.Errno {
		if m.segment > 0 {
			return unix.EIO
		}
		return 0
	}}
	u := k.on(t)
	train := Train{Data: pattern(250), Segment: 100, Remote: peer, Local: ours}
	send(t, u, Train{Data: pattern(7), Remote: peer}, train, train)
	k.expect(t, "7/0", "100/0", "100/0", "50/0", "100/0", "100/0", "50/0")
	for _, m := range k.took[1:] {
		if m.from != ours || m.to != peer {
			t.Errorf("%+v", m)
		}
	}
	if st := u.Stats(); st.SendGSO || st.Refused+st.TooBig+st.NoBuffer+st.Unreachable != 0 {
		t.Errorf("%+v", st)
	}
	k.took, k.calls = nil, 0
	send(t, u, train, train)
	k.expect(t, "100/0", "100/0", "50/0", "100/0", "100/0", "50/0")
	if k.calls != 1 {
		t.Errorf("%d calls", k.calls)
	}
}

// Kernels before 6.14 say EINVAL.
func TestSegmentsLargerThanThePathGoOneByOne(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EINVAL, unix.EMSGSIZE} {
		for _, local := range []netip.Addr{{}, ours} {
			k := &kernel{judge: func(m shot) unix.Errno {
				if m.segment > 1000 {
					return errno
				}
				return 0
			}}
			u := k.on(t)
			send(t, u, Train{Data: pattern(3000), Segment: 1200, Remote: peer, Local: local},
				Train{Data: pattern(300), Segment: 100, Remote: peer, Local: local})
			k.expect(t, "1200/0", "1200/0", "600/0", "300/100")
			for _, m := range k.took {
				if m.from != local {
					t.Errorf("from %v, want %v", m.from, local)
				}
			}
			if st := u.Stats(); !st.SendGSO || st.TooBig+st.Refused != 0 {
				t.Errorf("%v: %+v", errno, st)
			}
		}
	}
}

func TestATrainSurvivesItsSource(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EINVAL, unix.EADDRNOTAVAIL, unix.ENETUNREACH, unix.EHOSTUNREACH} {
		k := &kernel{judge: func(m shot) unix.Errno {
			if m.from.IsValid() {
				return errno
			}
			return 0
		}}
		u := k.on(t)
		send(t, u, Train{Data: pattern(250), Segment: 100, Remote: peer, Local: ours},
			Train{Data: pattern(9), Remote: peer}, Train{Data: pattern(8), Remote: peer, Local: ours})
		k.expect(t, "250/100", "9/0", "8/0")
		dropped(t, u)
		if !u.Stats().SendGSO {
			t.Errorf("%v switched trains off", errno)
		}
	}
}

// The address is gone and the segments do not fit: neither is known from EINVAL alone.
func TestATrainWithTwoFaultsArrives(t *testing.T) {
	k := &kernel{judge: func(m shot) unix.Errno {
		if m.from.IsValid() || m.segment > 0 {
			return unix.EINVAL
		}
		return 0
	}}
	u := k.on(t)
	send(t, u, Train{Data: pattern(250), Segment: 100, Remote: peer, Local: ours})
	k.expect(t, "100/0", "100/0", "50/0")
	dropped(t, u)
}

// A message that was sent without its source leaves nothing behind for the next in its place.
func TestAForgottenSourceDoesNotComeBack(t *testing.T) {
	k := &kernel{}
	k.judge = func(m shot) unix.Errno {
		if m.from.IsValid() || m.segment > 1000 {
			return unix.EINVAL
		}
		return 0
	}
	u := k.on(t)
	send(t, u, Train{Data: pattern(10), Remote: peer, Local: ours})
	var tried []shot
	inner := k.judge
	k.judge = func(m shot) unix.Errno { tried = append(tried, m); return inner(m) }
	send(t, u, Train{Data: pattern(2500), Segment: 1250, Remote: peer})
	for _, m := range tried {
		if m.from.IsValid() {
			t.Errorf("%+v", m)
		}
	}
}

func TestRefusalsAreCountedByReason(t *testing.T) {
	for errno, count := range map[unix.Errno]func(Stats) uint64{
		unix.ENOBUFS:       func(s Stats) uint64 { return s.NoBuffer },
		unix.ENOMEM:        func(s Stats) uint64 { return s.NoBuffer },
		unix.EMSGSIZE:      func(s Stats) uint64 { return s.TooBig },
		unix.ENETUNREACH:   func(s Stats) uint64 { return s.Unreachable },
		unix.EHOSTUNREACH:  func(s Stats) uint64 { return s.Unreachable },
		unix.EADDRNOTAVAIL: func(s Stats) uint64 { return s.Unreachable },
		unix.EAFNOSUPPORT:  func(s Stats) uint64 { return s.Unreachable },
		unix.EPERM:         func(s Stats) uint64 { return s.Refused },
		unix.EACCES:        func(s Stats) uint64 { return s.Refused },
		unix.EINVAL:        func(s Stats) uint64 { return s.Refused },
	} {
		k := &kernel{judge: func(m shot) unix.Errno {
			if m.to.Port() == 1 {
				return errno
			}
			return 0
		}}
		u := k.on(t)
		bad := netip.AddrPortFrom(peer.Addr(), 1)
		send(t, u, Train{Data: pattern(10), Remote: peer}, Train{Data: pattern(250), Segment: 100, Remote: bad, Local: ours},
			Train{Data: pattern(20), Remote: bad}, Train{Data: pattern(30), Remote: peer})
		k.expect(t, "10/0", "30/0")
		st := u.Stats()
		if count(st) != 4 || st.NoBuffer+st.TooBig+st.Unreachable+st.Refused != 4 {
			t.Errorf("%v: %+v", errno, st)
		}
	}
}

func TestTheKernelMayTakeAFewAtATime(t *testing.T) {
	interrupts := 3
	k := &kernel{most: 2, judge: func(shot) unix.Errno {
		if interrupts--; interrupts >= 0 {
			return unix.EINTR
		}
		return 0
	}}
	u := k.on(t)
	var trains []Train
	var want []string
	for i := range Batch + 5 {
		trains = append(trains, Train{Data: pattern(i + 1), Remote: peer})
		want = append(want, fmt.Sprintf("%d/0", i+1))
	}
	send(t, u, trains...)
	k.expect(t, want...)
	dropped(t, u)
}

func TestLongTrainsAreSplit(t *testing.T) {
	k := &kernel{judge: func(shot) unix.Errno { return 0 }}
	u := k.on(t)
	send(t, u,
		Train{Data: pattern(130 * 10), Segment: 10, Remote: peer},
		Train{Data: pattern(100_000), Segment: 1400, Remote: peer},
		Train{Data: pattern(70_000), Segment: 66_000, Remote: peer}, // nobody takes that; the kernel will say so
		Train{Data: pattern(65*10 + 1), Segment: 10, Remote: peer},
	)
	k.expect(t, "640/10", "640/10", "20/10", "64400/1400", "35600/1400", "66000/0", "4000/0", "640/10", "11/10")
}

// A source of the other family is no source.
func TestASourceIsOfTheRemotesFamily(t *testing.T) {
	k := &kernel{judge: func(shot) unix.Errno { return 0 }}
	u := k.on(t)
	six := netip.MustParseAddrPort("[2001:db8::9]:4500")
	send(t, u, Train{Data: pattern(1), Remote: peer, Local: netip.MustParseAddr("2001:db8::1")},
		Train{Data: pattern(1), Remote: six, Local: ours},
		Train{Data: pattern(1), Remote: six, Local: netip.MustParseAddr("2001:db8::1")})
	for i, want := range []shot{{1, 0, peer, netip.Addr{}}, {1, 0, six, netip.Addr{}}, {1, 0, six, netip.MustParseAddr("2001:db8::1")}} {
		if k.took[i] != want {
			t.Errorf("%+v, want %+v", k.took[i], want)
		}
	}
}
