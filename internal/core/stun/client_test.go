package stun

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

const start = mono.Time(1)

func server(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

var (
	one    = server("198.51.100.1:3478")
	two    = server("198.51.100.2:3478")
	six    = server("[2001:db8:1::1]:3478")
	mapped = netip.MustParseAddrPort("203.0.113.7:4711")
)

// round starts a client with the servers.
func round(t *testing.T, servers ...netip.AddrPort) (*Client, *Out, []Transmit) {
	t.Helper()
	c, out := NewClient(servers, rand.NewChaCha8([32]byte{1})), new(Out)
	if err := c.Start(start, out); err != nil {
		t.Fatal(err)
	}
	asked := slices.Clone(out.Transmits)
	out.Reset()
	return c, out, asked
}

// reply is what the server says to somebody at an address.
func reply(q Transmit, to netip.AddrPort) []byte {
	b, _, _ := Server{}.Answer(nil, q.Data, to)
	return b
}

func kinds(out *Out) (k []Kind) {
	for _, e := range out.Events {
		k = append(k, e.Kind)
	}
	return k
}

func TestTwoServersThatSeeTheSameAddress(t *testing.T) {
	c, out, asked := round(t, one, two)
	now := start.Add(30 * time.Millisecond)
	c.Datagram(now, one, reply(asked[0], mapped), out)
	if c.Mapping() != MappingUnknown || out.Events[0].RTT != 30*time.Millisecond || out.Events[0].Addr != mapped {
		t.Fatalf("%v after one answer: %+v", c.Mapping(), out.Events)
	}
	c.Datagram(now, two, reply(asked[1], mapped), out)
	if c.Mapping() != MappingIndependent || c.Mapping6() != MappingUnknown || !slices.Equal(kinds(out), []Kind{Mapped, Mapped, Done}) {
		t.Fatalf("%v: %+v", c.Mapping(), out.Events)
	}
	if !c.Deadline().IsNever() {
		t.Fatal("the round is over and wants to be woken")
	}
}

func TestTwoServersThatSeeDifferentPorts(t *testing.T) {
	c, out, asked := round(t, one, two)
	c.Datagram(start, one, reply(asked[0], mapped), out)
	c.Datagram(start, two, reply(asked[1], netip.AddrPortFrom(mapped.Addr(), 4712)), out)
	if c.Mapping() != MappingDependent {
		t.Fatal(c.Mapping())
	}
}

func TestTwoPortsOfOneServerTellNothing(t *testing.T) {
	c, out, asked := round(t, one, server("198.51.100.1:443"), six)
	for i, to := range []netip.AddrPort{mapped, mapped, asker6} {
		c.Datagram(start, asked[i].To, reply(asked[i], to), out)
	}
	if c.Mapping() != MappingUnknown || c.Mapping6() != MappingUnknown {
		t.Fatal(c.Mapping(), c.Mapping6())
	}
}

func TestSilentServerIsAskedFourTimesAndGivenUp(t *testing.T) {
	c, out, asked := round(t, one)
	var at []time.Duration
	for !c.Deadline().IsNever() {
		now := c.Deadline()
		c.Tick(now.Add(-1), out)
		if len(out.Transmits)+len(out.Events) != 0 {
			t.Fatal("an early call did something")
		}
		c.Tick(now, out)
		for _, x := range out.Transmits {
			if x.To != one || !slices.Equal(x.Data, asked[0].Data) {
				t.Fatal("the repetition is another question")
			}
		}
		at = append(at, now.Sub(start))
		if !c.Deadline().IsNever() {
			out.Reset()
		}
	}
	ms := time.Millisecond
	if !slices.Equal(at, []time.Duration{250 * ms, 750 * ms, 1750 * ms, 2750 * ms}) || !slices.Equal(kinds(out), []Kind{Silent, Done}) {
		t.Fatalf("woke at %v: %+v", at, out.Events)
	}
}

func TestOnlyTheServerThatWasAskedIsBelieved(t *testing.T) {
	c, out, asked := round(t, one, two)
	good := reply(asked[0], mapped)
	lie := begin(nil, TypeSuccess, TxID(asked[0].Data[8:20]))
	lie.addr(attrXorMapped, asker6, true)
	zero := begin(nil, TypeSuccess, TxID(asked[0].Data[8:20]))
	zero.addr(attrXorMapped, netip.AddrPortFrom(mapped.Addr(), 0), true)
	must := begin(nil, TypeSuccess, TxID(asked[0].Data[8:20]))
	must.addr(attrXorMapped, mapped, true)
	must.attribute(0x0100, 0)
	for name, x := range map[string]Transmit{
		"another address": {asker, good}, "another server": {two, good}, "our own question": {one, asked[0].Data},
		"another family": {one, lie.b}, "port 0": {one, zero.b}, "what must be understood": {one, must.b}, "noise": {one, make([]byte, 40)},
	} {
		if c.Datagram(start, x.To, x.Data, out) || len(out.Events) != 0 {
			t.Errorf("%s was believed", name)
		}
	}
	if !c.Datagram(start, one, good, out) || c.Datagram(start, one, good, out) {
		t.Error("the answer counts once")
	}
}

func TestRefusalEndsTheQuestion(t *testing.T) {
	c, out, asked := round(t, one)
	c.Datagram(start, one, refusal(nil, TxID(asked[0].Data[8:20]), []uint16{1}, 0), out)
	if !slices.Equal(kinds(out), []Kind{Refused, Done}) || out.Events[0].Code != 420 {
		t.Fatalf("%+v", out.Events)
	}
}

func TestNewRoundForgetsTheOldOne(t *testing.T) {
	c, out, asked := round(t, one)
	if err := c.Start(start.Add(time.Second), out); err != nil {
		t.Fatal(err)
	}
	if c.Datagram(start, one, reply(asked[0], mapped), out) {
		t.Fatal("an answer of the old round counts")
	}
}

func TestServersAreBoundedAndSound(t *testing.T) {
	servers := []netip.AddrPort{{}, server("0.0.0.0:1"), server("224.0.0.1:1"), server("192.0.2.1:0"), one, one}
	for i := range 20 {
		servers = append(servers, netip.AddrPortFrom(one.Addr(), uint16(i+1)))
	}
	_, _, asked := round(t, servers...)
	if len(asked) != MaxServers || asked[0].To != one {
		t.Fatalf("%d servers, first %v", len(asked), asked[0].To)
	}
	_, _, asked = round(t)
	if len(asked) != 0 {
		t.Fatal("nobody was asked something")
	}
}

func TestWithoutRandomNumbersNothingIsAsked(t *testing.T) {
	c, out := NewClient([]netip.AddrPort{one}, iotest.ErrReader(errors.New("dry"))), new(Out)
	if err := c.Start(start, out); err == nil || len(out.Transmits) != 0 || !c.Deadline().IsNever() {
		t.Fatalf("%v, %d questions", err, len(out.Transmits))
	}
}
