package path

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

const start = mono.Time(1)

func addrs(all ...string) []netip.AddrPort {
	var as []netip.AddrPort
	for _, s := range all {
		as = append(as, netip.MustParseAddrPort(s))
	}
	return as
}

var (
	none  netip.AddrPort
	lan   = netip.MustParseAddrPort("192.168.1.2:1")
	wan   = netip.MustParseAddrPort("203.0.113.2:2")
	six   = netip.MustParseAddrPort("[2001:db8::2]:3")
	roams = netip.MustParseAddrPort("198.51.100.9:4")
)

// at makes a Picker that knows the three candidates.
func at(t *testing.T) (*Picker, *Out) {
	t.Helper()
	p, out := new(Picker), new(Out)
	p.SetCandidates(start, []netip.AddrPort{lan, wan, six}, out)
	expect(t, out, nil)
	return p, out
}

func expect(t *testing.T, out *Out, to []netip.AddrPort, events ...Pick) {
	t.Helper()
	if !slices.Equal(out.Transmits, to) || !slices.Equal(out.Events, events) {
		t.Fatalf("sent to %v with events %v; want %v with %v", out.Transmits, out.Events, to, events)
	}
	out.Reset()
}

func TestStrangerIsTriedEverywhereUntilItAnswers(t *testing.T) {
	p, out := at(t)
	for i := range 3 {
		p.Open(start.Add(time.Duration(i)*Patience), none, out)
		expect(t, out, []netip.AddrPort{lan, wan, six})
	}
	p.Heard(start.Add(16*time.Second), wan, out)
	expect(t, out, nil, Pick{PathProven, wan})
	if p.Proven() != wan {
		t.Fatalf("proven %v", p.Proven())
	}
}

func TestRenewalOfALivingSessionGoesToTheProvenAddressAlone(t *testing.T) {
	p, out := at(t)
	now := start
	p.Heard(now, wan, out)
	expect(t, out, nil, Pick{PathProven, wan})
	for range 5 {
		now = now.Add(renewFrom)
		p.Open(now, wan, out)
		expect(t, out, []netip.AddrPort{wan})
		now = now.Add(time.Second)
		p.Heard(now, wan, out)
		expect(t, out, nil)
	}
}

func TestUnansweredRenewalIsRepeatedEverywhere(t *testing.T) {
	p, out := at(t)
	p.Heard(start, wan, out)
	out.Reset()
	now := start.Add(renewFrom)
	p.Open(now, wan, out)
	expect(t, out, []netip.AddrPort{wan})
	p.Open(now.Add(Patience), wan, out)
	expect(t, out, []netip.AddrPort{wan, lan, six}, Pick{PathLost, wan})
	p.Open(now.Add(2*Patience), wan, out) // lost is told once
	expect(t, out, []netip.AddrPort{wan, lan, six})
}

func TestPeerThatFellSilentIsTriedEverywhereAtOnce(t *testing.T) {
	for name, age := range map[string]time.Duration{"silent in a session": 15 * time.Second, "idle for long": time.Hour} {
		p, out := at(t)
		p.Heard(start, wan, out)
		out.Reset()
		p.Open(start.Add(age), wan, out)
		t.Log(name)
		expect(t, out, []netip.AddrPort{wan, lan, six}, Pick{PathLost, wan})
	}
}

func TestPeerThatMovedIsFollowed(t *testing.T) {
	p, out := at(t)
	p.Heard(start, lan, out)
	p.Heard(start.Add(time.Second), roams, out)
	expect(t, out, nil, Pick{PathProven, lan}, Pick{PathProven, roams})
	p.Open(start.Add(time.Hour), roams, out)
	expect(t, out, []netip.AddrPort{roams, lan, wan, six}, Pick{PathLost, roams})
}

// Where the owner sends to counts even if the Picker heard of another address.
func TestAddressInUseComesFirst(t *testing.T) {
	p, out := at(t)
	p.Heard(start, lan, out)
	out.Reset()
	p.Open(start.Add(renewFrom), roams, out)
	expect(t, out, []netip.AddrPort{roams})
	p.Open(start.Add(renewFrom+Patience), roams, out)
	expect(t, out, []netip.AddrPort{roams, lan, wan, six}, Pick{PathLost, lan})
}

func TestNewCandidateGetsTheOpeningThatWaits(t *testing.T) {
	p, out := new(Picker), new(Out)
	p.Open(start, none, out)
	expect(t, out, nil) // nowhere to send to
	p.SetCandidates(start.Add(time.Second), []netip.AddrPort{lan}, out)
	expect(t, out, []netip.AddrPort{lan})
	p.SetCandidates(start.Add(2*time.Second), []netip.AddrPort{wan, lan}, out)
	expect(t, out, []netip.AddrPort{wan})
	p.SetCandidates(start.Add(Patience), []netip.AddrPort{six}, out) // too late: the opening is void
	expect(t, out, nil)
	p.Open(start.Add(Patience), none, out)
	p.Heard(start.Add(Patience), six, out)
	out.Reset()
	p.SetCandidates(start.Add(Patience), []netip.AddrPort{six, lan}, out) // answered: nothing waits
	expect(t, out, nil)
}

func TestWakeDoubtsEverything(t *testing.T) {
	p, out := at(t)
	p.Wake(start, out)
	expect(t, out, nil)
	p.Heard(start, wan, out)
	out.Reset()
	p.Wake(start.Add(time.Second), out)
	expect(t, out, nil, Pick{PathLost, wan})
	p.Open(start.Add(renewFrom), wan, out) // would have been a renewal
	expect(t, out, []netip.AddrPort{wan, lan, six})
	p.Wake(start.Add(renewFrom+time.Second), out) // and the opening waits
	expect(t, out, []netip.AddrPort{wan, lan, six})
}

func TestCandidatesAreBoundedAndSound(t *testing.T) {
	p, out := new(Picker), new(Out)
	p.Refused = append(Loopback(), netip.MustParsePrefix("100.64.0.0/10"))
	all := addrs("100.64.0.1:1", "127.0.0.1:1", "[::1]:1", "169.254.169.254:80", "0.0.0.0:1", "224.0.0.1:1", "192.0.2.1:0", "255.255.255.255:1", "[fe80::1%eth0]:1", "[::]:1", "[::ffff:192.0.2.7]:7", "192.0.2.7:7")
	all = append(all, none)
	p.SetCandidates(start, all, out)
	if want := addrs("192.0.2.7:7"); !slices.Equal(p.Candidates(), want) {
		t.Fatalf("kept %v, want %v", p.Candidates(), want)
	}
	all = nil
	for i := range 3 * MaxCandidates {
		all = append(all, netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:9", i+1)))
	}
	p.SetCandidates(start, all, out)
	p.Heard(start, roams, out)
	out.Reset()
	p.Open(start.Add(time.Hour), lan, out)
	if len(out.Transmits) != MaxCandidates || out.Transmits[0] != lan || out.Transmits[1] != roams {
		t.Fatalf("%d addresses, first %v", len(out.Transmits), out.Transmits[:2])
	}
}

func TestDecidingAllocatesNothing(t *testing.T) {
	p, out := at(t)
	now := start
	step := func() {
		now = now.Add(time.Hour)
		p.Open(now, wan, out)
		p.Heard(now, wan, out)
		p.Wake(now, out)
		out.Reset()
	}
	step()
	if n := testing.AllocsPerRun(100, step); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
