package portmap

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

const start = mono.Time(1)

// router is a gateway as the tests want it, and the owner of a Client beside it.
type router struct {
	t                *testing.T
	pcp, pmp, upnp   bool
	refuses          uint16 // result of every request to map
	outside          netip.Addr
	life             uint32
	booted           mono.Time
	conflicts        int // UPnP: how many ports are taken
	silent           bool
	now              mono.Time
	c                *Client
	out              *Out
	events           []Event
	asked            []Request
	jobs             []Job
	mapped, unmapped int
}

func newRouter(t *testing.T, port uint16) *router {
	return &router{t: t, outside: outside, life: 7200, booted: start, now: start.Add(time.Hour), out: new(Out),
		c: New(Config{Port: port}, rand.NewChaCha8([32]byte{1}))}
}

func (r *router) join() *router {
	if err := r.c.SetNetwork(r.now, Network{gateway, local}, r.out); err != nil {
		r.t.Fatal(err)
	}
	r.settle()
	return r
}

// settle carries messages until nobody has something to say at this instant.
func (r *router) settle() {
	for turns := 0; len(r.out.Transmits)+len(r.out.Jobs)+len(r.out.Events) > 0; turns++ {
		if turns > 50 {
			r.t.Fatal("at one instant the Client and its router do not come to rest")
		}
		o := *r.out
		*r.out = Out{}
		r.events = append(r.events, o.Events...)
		for _, x := range o.Transmits {
			r.hear(x.Data)
		}
		for _, j := range o.Jobs {
			r.jobs = append(r.jobs, j)
			r.c.Finished(r.now, r.do(j), r.out)
		}
	}
}

func (r *router) hear(b []byte) {
	q, err := ParseRequest(b)
	if err != nil {
		r.t.Fatal(err)
	}
	r.asked = append(r.asked, q)
	if r.silent {
		return
	}
	a := Answer{Protocol: q.Protocol, Op: q.Op, Epoch: uint32(r.now.Sub(r.booted).Seconds()), Lifetime: min(q.Lifetime, r.life), Nonce: q.Nonce, Internal: q.Internal, External: q.External}
	switch {
	case q.Protocol == PCP && !r.pcp && r.pmp:
		a = Answer{Protocol: NATPMP, Op: Map, Result: UnsupportedVersion, Epoch: a.Epoch}
	case q.Protocol == PCP && !r.pcp || q.Protocol == NATPMP && !r.pmp:
		return
	case q.Op == Map && q.Lifetime == 0:
		r.unmapped++
	case q.Op == Map:
		a.Result = r.refuses
		r.mapped++
	}
	if q.Protocol == PCP && q.Op == Map || q.Protocol == NATPMP && q.Op == Announce {
		a.Addr = r.outside
	}
	r.say(a)
}

func (r *router) say(a Answer) {
	if a.Protocol == NATPMP && a.Op == Map {
		a.Addr = netip.Addr{}
	}
	r.c.Datagram(r.now, netip.AddrPortFrom(gateway, Port), a.Append(nil), r.out)
}

func (r *router) do(j Job) JobResult {
	res := JobResult{Kind: j.Kind, External: r.outside}
	switch {
	case !r.upnp:
		res.Code = JobFailed
	case j.Kind == MapUPnP && r.conflicts > 0:
		r.conflicts--
		res.Code = JobConflict
	case j.Kind == MapUPnP:
		r.mapped++
	case j.Kind == UnmapUPnP:
		r.unmapped++
	}
	return res
}

// wait lets time pass.
func (r *router) wait(d time.Duration) {
	end := r.now.Add(d)
	for {
		at := r.c.Deadline()
		if at.IsNever() || end.Before(at) {
			r.now = end
			return
		}
		if at.Before(r.now) {
			r.t.Fatalf("the deadline is %v ago", r.now.Sub(at))
		}
		r.now = at
		r.c.Tick(r.now, r.out)
		r.settle()
		if next := r.c.Deadline(); !next.IsNever() && !r.now.Before(next) {
			r.t.Fatalf("after Tick the deadline stays in the past: phase %d", r.c.phase)
		}
	}
}

func (r *router) story() (s []string) {
	for _, e := range r.events {
		switch e.Kind {
		case Mapped:
			s = append(s, fmt.Sprintf("mapped %v %v", e.Protocol, e.External))
		case Lost:
			s = append(s, fmt.Sprintf("lost %v", e.Protocol))
		case Found:
			s = append(s, fmt.Sprintf("found %v", e.Protocol))
		case Looked:
			s = append(s, "looked")
		}
	}
	return s
}

func (r *router) tells(want ...string) {
	r.t.Helper()
	if got := r.story(); !slices.Equal(got, want) {
		r.t.Fatalf("%q, want %q", got, want)
	}
	r.events = nil
}

const ext = "203.0.113.5:41641"

func TestTheBestProtocolMaps(t *testing.T) {
	for _, c := range []struct {
		pcp, pmp, upnp bool
		by             Protocol
	}{{true, true, true, PCP}, {false, true, true, NATPMP}, {false, false, true, UPnP}, {true, false, false, PCP}} {
		r := newRouter(t, 41641)
		r.pcp, r.pmp, r.upnp = c.pcp, c.pmp, c.upnp
		r.join().wait(2 * time.Second)
		if e := r.c.External(); e.String() != ext || r.c.held.protocol != c.by || r.mapped != 1 {
			t.Errorf("%+v: %v by %v, %d mappings", c, e, r.c.held.protocol, r.mapped)
		}
		for p, there := range map[Protocol]bool{PCP: c.pcp, NATPMP: c.pmp, UPnP: c.upnp} {
			if r.c.Found(p) != there {
				t.Errorf("%+v: %v found: %v", c, p, r.c.Found(p))
			}
		}
		r.c.Close(r.now, r.out)
		r.settle()
		if !r.c.Closed() || r.unmapped != 1 {
			t.Errorf("%+v: closed %v, released %d times", c, r.c.Closed(), r.unmapped)
		}
	}
}

func TestNothingAnswers(t *testing.T) {
	r := newRouter(t, 41641)
	r.join().wait(2 * time.Second)
	r.tells("looked")
	n := len(r.asked)
	if n != 6 {
		t.Fatalf("%d questions, want 3 by each protocol", n)
	}
	r.wait(time.Hour)
	if more := len(r.asked) - n; more > 6*10 {
		t.Fatalf("%d questions in an hour to somebody who does not answer", more)
	}
	r.pcp = true
	r.c.Check(r.now, r.out)
	r.settle()
	if r.c.External().String() != ext {
		t.Fatal("a change outside does not end the rest")
	}
}

func TestMappingIsRenewedAndStays(t *testing.T) {
	r := newRouter(t, 41641)
	r.pcp = true
	r.join()
	r.tells("found PCP", "mapped PCP "+ext)
	r.wait(24 * time.Hour)
	if r.mapped < 18 || r.mapped > 25 {
		t.Fatalf("%d mappings in a day, want one each 60 to 75 minutes", r.mapped)
	}
	r.tells("looked")
}

func TestRouterThatStartsAnewIsAskedAgain(t *testing.T) {
	for _, p := range []Protocol{PCP, NATPMP} {
		r := newRouter(t, 41641)
		r.pcp, r.pmp = p == PCP, p == NATPMP
		r.join().wait(5 * time.Minute)
		n := r.mapped
		r.booted = r.now
		r.wait(checkEvery)
		if r.mapped != n+1 {
			t.Errorf("%v: %d mappings after the router has started anew, want %d", p, r.mapped, n+1)
		}
		// and at once, if it says so itself
		r.wait(time.Minute)
		r.booted = r.now
		r.say(Answer{Protocol: p, Addr: outside})
		r.settle()
		if r.mapped != n+2 {
			t.Errorf("%v: an announcement is not heard", p)
		}
	}
}

func TestSenselessEpochsAreActedUponSeldom(t *testing.T) {
	r := newRouter(t, 41641)
	r.pcp = true
	r.join()
	for i := range uint32(1000) {
		r.say(Answer{Protocol: PCP, Epoch: i * 1000003})
		r.settle()
	}
	if r.mapped > 3 {
		t.Fatalf("%d mappings", r.mapped)
	}
}

func TestAnotherOutsideAddressIsTold(t *testing.T) {
	r := newRouter(t, 41641)
	r.pmp = true
	r.join().wait(time.Second)
	r.tells("found NAT-PMP", "looked", "mapped NAT-PMP "+ext)
	r.outside = netip.MustParseAddr("100.64.3.4")
	r.wait(checkEvery)
	last := r.events[len(r.events)-1]
	if last.External.String() != "100.64.3.4:41641" || !last.Inner {
		t.Fatalf("%q, %+v", r.story(), last)
	}
}

func TestMappingThatCannotBeRenewedIsLost(t *testing.T) {
	r := newRouter(t, 41641)
	r.pcp = true
	r.join()
	r.silent = true
	r.wait(2*time.Hour - time.Second)
	r.tells("found PCP", "mapped PCP "+ext, "looked")
	r.wait(20 * time.Second)
	r.tells("lost PCP", "looked")
	r.silent = false
	r.wait(10 * time.Minute)
	r.tells("found PCP", "mapped PCP "+ext, "looked")
}

func TestMoveLosesTheMapping(t *testing.T) {
	r := newRouter(t, 41641)
	r.pcp = true
	r.join()
	r.c.SetNetwork(r.now, Network{}, r.out)
	r.settle()
	r.tells("found PCP", "mapped PCP "+ext, "lost PCP")
	if !r.c.Deadline().IsNever() {
		t.Fatal("wants to be woken without a network")
	}
	r.join()
	r.tells("found PCP", "mapped PCP "+ext)
}

func TestTakenPortsAreNotInsistedOn(t *testing.T) {
	r := newRouter(t, 41641)
	r.upnp, r.conflicts = true, 2
	r.join().wait(2 * time.Second)
	if p := r.c.External().Port(); p == 0 || p == 41641 || p < 1024 {
		t.Fatalf("port %d", p)
	}
	r = newRouter(t, 41641)
	r.upnp, r.conflicts = true, 100
	r.join().wait(2 * time.Second)
	if len(r.jobs) != 1+1+maxConflicts || r.c.External().IsValid() {
		t.Fatalf("%d jobs", len(r.jobs))
	}
}

func TestRefusalGivesTheNextItsTurn(t *testing.T) {
	r := newRouter(t, 41641)
	r.pcp, r.pmp, r.upnp, r.refuses = true, true, true, 2
	r.join().wait(2 * time.Second)
	if r.c.held.protocol != UPnP {
		t.Fatalf("%q", r.story())
	}
}

func TestOutsideAddressThatCannotBeIsNoMapping(t *testing.T) {
	for _, a := range []string{"127.0.0.1", "224.0.0.1", "0.0.0.0", "169.254.169.254"} {
		for _, p := range []Protocol{PCP, NATPMP, UPnP} {
			r := newRouter(t, 41641)
			r.pcp, r.pmp, r.upnp, r.outside = p == PCP, p == NATPMP, p == UPnP, netip.MustParseAddr(a)
			r.join().wait(10 * time.Second)
			if e := r.c.External(); e.IsValid() {
				t.Errorf("%v: %v", p, e)
			}
		}
	}
}

func TestOnlyTheGatewayIsBelieved(t *testing.T) {
	r := newRouter(t, 41641)
	r.c.SetNetwork(r.now, Network{gateway, local}, r.out)
	q, _ := ParseRequest(r.out.Transmits[0].Data)
	good := Answer{Protocol: PCP, Op: Map, Nonce: q.Nonce, Internal: q.Internal, External: 7, Lifetime: 100, Addr: outside}
	nonce, port, zero := good, good, good
	nonce.Nonce[0]++
	port.Internal++
	zero.External = 0
	from := netip.AddrPortFrom(gateway, Port)
	for name, x := range map[string]struct {
		from netip.AddrPort
		a    Answer
	}{"a neighbour": {netip.AddrPortFrom(local, Port), good}, "another port": {netip.AddrPortFrom(gateway, 5350), good}, "another nonce": {from, nonce}, "for another port": {from, port}} {
		if r.c.Datagram(r.now, x.from, x.a.Append(nil), r.out) || r.c.External().IsValid() {
			t.Errorf("%s was believed", name)
		}
	}
	r.c.Datagram(r.now, from, zero.Append(nil), r.out)
	if r.c.External().IsValid() {
		t.Error("port 0 was believed")
	}
}

func TestLookingMapsNothing(t *testing.T) {
	r := newRouter(t, 0)
	r.pcp, r.upnp = true, true
	r.join().wait(3 * time.Second)
	r.tells("found PCP", "found UPnP", "looked")
	if r.mapped != 0 || !r.c.Deadline().IsNever() || r.c.Found(NATPMP) {
		t.Fatal("a look leaves something behind")
	}
}

func TestIPv6IsAskedByPCPAlone(t *testing.T) {
	c, out := New(Config{Port: 41641}, rand.NewChaCha8([32]byte{1})), new(Out)
	gw, us := netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("2001:db8::5")
	c.SetNetwork(start, Network{gw, us}, out)
	if len(out.Transmits) != 1 || len(out.Jobs) != 0 {
		t.Fatalf("%+v", out)
	}
	q, _ := ParseRequest(out.Transmits[0].Data)
	a := Answer{Protocol: PCP, Op: Map, Nonce: q.Nonce, Internal: 41641, External: 41641, Lifetime: 100, Addr: us}
	c.Datagram(start, netip.AddrPortFrom(gw.WithZone(""), Port), a.Append(nil), out)
	if c.External() != netip.AddrPortFrom(us, 41641) || q.Local != us {
		t.Fatalf("%v, %+v", c.External(), q)
	}
}

// FuzzClient lets a hostile gateway say anything, at any time.
func FuzzClient(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
	f.Add([]byte{1, 1, 7, 1, 2, 7, 3, 7, 4, 8, 5, 9, 5})
	f.Fuzz(func(t *testing.T, script []byte) {
		r := newRouter(t, 41641)
		r.c.SetNetwork(r.now, Network{gateway, local}, r.out)
		for i := 0; i+1 < len(script) && i < 120; i += 2 {
			op, arg := script[i]%8, script[i+1]
			switch op {
			case 0:
				r.wait(time.Duration(arg) * time.Second)
			case 1:
				r.pcp, r.pmp, r.upnp, r.silent = arg&1 != 0, arg&2 != 0, arg&4 != 0, arg&8 != 0
			case 2:
				r.life, r.refuses = uint32(arg)<<(arg%24), uint16(arg%3)
			case 3:
				r.say(Answer{Protocol: Protocol(1 + arg&1), Op: Op(arg >> 1 & 1), Epoch: uint32(arg) << 20, Result: uint16(arg >> 6), Addr: outside})
			case 4:
				r.c.SetNetwork(r.now, Network{gateway, local.Next()}, r.out)
			case 5:
				r.c.Check(r.now, r.out)
			case 6:
				r.c.Finished(r.now, JobResult{Kind: JobKind(arg % 4), Code: int(arg >> 4)}, r.out)
			case 7:
				r.wait(time.Duration(arg%64) * time.Minute)
			}
			r.settle()
		}
		r.c.Close(r.now, r.out)
		r.settle()
		r.wait(3 * time.Second)
		if !r.c.Closed() {
			t.Fatal("it does not close")
		}
	})
}
