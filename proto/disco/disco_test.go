package disco

import (
	"bytes"
	"net/netip"
	"reflect"
	"testing"

	"github.com/cvlan/cvlan/internal/base/key"
)

func privates() (one, two key.WGPrivate) {
	var ka, kb [32]byte
	ka[1], kb[1] = 1, 2
	one, _ = key.ParseWGPrivate(ka[:])
	two, _ = key.ParseWGPrivate(kb[:])
	return one, two
}

func pairs(t testing.TB) (a, b *Pair, pa, pb key.WGPublic) {
	t.Helper()
	one, two := privates()
	a, err := NewPair(one, two.Public())
	if err != nil {
		t.Fatal(err)
	}
	b, err = NewPair(two, one.Public())
	if err != nil {
		t.Fatal(err)
	}
	return a, b, one.Public(), two.Public()
}

var (
	at  = netip.MustParseAddrPort("192.0.2.1:7")
	at6 = netip.MustParseAddrPort("[2001:db8::1]:9")
)

// messages are one of each form.
func messages() []Message {
	return []Message{
		{Kind: Ping, ID: 1, Size: MinPing},
		{Kind: Ping, ID: 2, Size: 1400},
		{Kind: Pong, ID: 2, Size: 1400, Addresses: []netip.AddrPort{at}},
		{Kind: Offer, ID: 9},
		{Kind: Offer, ID: 10, Mapping: MappingAddressPortDependent, StartIn: 250, Candidates: []Candidate{{at, Guessable}, {at6, Host}}},
		{Kind: PathMTU, ID: 2, Size: 1452},
		{Kind: Part, ID: 3, Step: 1, Index: 1, Of: 2, Data: []byte("rest")},
	}
}

func seal(t testing.TB, p *Pair, n byte, m *Message) []byte {
	t.Helper()
	d, err := p.Seal(nil, [NonceSize]byte{n}, m)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOnlyThePeerCanOpen(t *testing.T) {
	a, b, _, _ := pairs(t)
	one, _ := privates()
	stranger, err := NewPair(key.NewWGPrivate(), one.Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages() {
		d := seal(t, a, 1, &m)
		for who, p := range map[string]*Pair{"its own sender": a, "a stranger": stranger} {
			if _, err := p.Open(bytes.Clone(d)); err != ErrRefused {
				t.Errorf("%+v opens for %s: %v", m, who, err)
			}
		}
		if got, err := b.Open(d); err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%+v, %v; want %+v", got, err, m)
		}
	}
}

func TestNoByteMayChangeNorBeMissing(t *testing.T) {
	a, b, _, _ := pairs(t)
	d := seal(t, a, 1, &messages()[4])
	for i := range d {
		forged := bytes.Clone(d)
		forged[i] ^= 0x40
		if _, err := b.Open(forged); err == nil {
			t.Errorf("byte %d may change", i)
		}
		if _, err := b.Open(bytes.Clone(d[:i])); err == nil {
			t.Errorf("%d bytes open", i)
		}
	}
	if _, err := b.Open(append(bytes.Clone(d), 0)); err == nil {
		t.Error("a byte may be added")
	}
}

func TestAHintNamesTheSenderToTheReceiverOnly(t *testing.T) {
	a, _, pa, pb := pairs(t)
	one, two := seal(t, a, 1, &messages()[0]), seal(t, a, 2, &messages()[0])
	for _, d := range [][]byte{one, two} {
		if index, ok := Sender(pb, d); !ok || index != Index(pa, pb) {
			t.Error("the receiver does not find the sender")
		}
		if index, _ := Sender(pa, d); index == Index(pa, pb) {
			t.Error("another receiver finds the sender")
		}
	}
	if bytes.Equal(one[2:10], two[2:10]) {
		t.Error("the hint tells two datagrams of one sender to everybody")
	}
	if Index(pa, pb) == Index(pb, pa) {
		t.Error("both directions have one index")
	}
}

func TestWhatIsNoDatagramNamesNobody(t *testing.T) {
	a, b, _, pb := pairs(t)
	d := seal(t, a, 1, &messages()[0])
	other, future := bytes.Clone(d), bytes.Clone(d)
	other[0], future[1] = 0x20, 2
	for what, d := range map[string][]byte{
		"nothing": nil, "a header": d[:Overhead], "another type": other, "another version": future, "too long": make([]byte, MaxDatagram+1),
	} {
		if _, ok := Sender(pb, d); ok {
			t.Errorf("%s has a sender", what)
		}
		if _, err := b.Open(d); err != ErrRefused {
			t.Errorf("%s opens: %v", what, err)
		}
	}
}

func TestUnsoundMessagesAreNotSealed(t *testing.T) {
	a, _, _, _ := pairs(t)
	crowd := make([]Candidate, MaxAddresses+1)
	for i := range crowd {
		crowd[i] = Candidate{at, Host}
	}
	dst := []byte("before")
	for _, m := range []Message{
		{}, {Kind: 9}, {Kind: Ping, Size: MaxDatagram + 1}, {Kind: Ping, Size: -1},
		{Kind: Pong}, {Kind: Pong, Addresses: []netip.AddrPort{at, at}, Size: MinPing}, {Kind: Pong, Addresses: []netip.AddrPort{{}}, Size: MinPing},
		{Kind: Pong, Addresses: []netip.AddrPort{at}, Size: MinPing - 1}, {Kind: Offer, Candidates: crowd}, {Kind: Offer, Candidates: []Candidate{{}}},
		{Kind: Offer, Candidates: []Candidate{{Addr: at}}}, {Kind: PathMTU, Size: MaxDatagram + 1}, {Kind: Part, Of: 1}, {Kind: Part, Of: 1, Index: 1, Data: []byte{1}},
		{Kind: Part, Of: 2, Data: []byte{1}}, {Kind: Part, Of: MaxParts + 1, Data: make([]byte, MaxPart)}, {Kind: Part, Of: 1, Data: make([]byte, MaxPart+1)},
	} {
		if got, err := a.Seal(dst, [NonceSize]byte{}, &m); err == nil || string(got) != "before" {
			t.Errorf("%+v was sealed, or left something", m)
		}
	}
}

func TestBadKeysMakeNoPair(t *testing.T) {
	one, _ := privates()
	if _, err := NewPair(one, key.WGPublic{}); err == nil {
		t.Error("a peer's key of low order was taken")
	}
	if _, err := NewPair(one, one.Public()); err == nil {
		t.Error("our own key was taken for a peer's")
	}
}

func TestAPongIsNoLongerThanItsPing(t *testing.T) {
	a, b, _, _ := pairs(t)
	ping := seal(t, a, 1, &Message{Kind: Ping, ID: 1})
	pong := seal(t, b, 1, &Message{Kind: Pong, ID: 1, Size: len(ping), Addresses: []netip.AddrPort{at6}})
	if len(ping) != MinPing || len(pong) > len(ping) {
		t.Errorf("a ping of %d bytes is answered with %d", len(ping), len(pong))
	}
}

func TestSealingAndOpeningAPingCostNoAllocation(t *testing.T) {
	a, b, _, pb := pairs(t)
	m := Message{Kind: Ping, ID: 1, Size: 1280}
	dst := make([]byte, 0, MaxDatagram)
	if n := testing.AllocsPerRun(200, func() {
		d, err := a.Seal(dst, [NonceSize]byte{1}, &m)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := Sender(pb, d); !ok {
			t.Fatal("no sender")
		}
		if _, err := b.Open(d); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRefuse(b *testing.B) {
	one, two, _, pb := pairs(b)
	d, _ := one.Seal(nil, [NonceSize]byte{1}, &messages()[0])
	d[len(d)-1] ^= 1
	forged := bytes.Clone(d)
	b.ReportAllocs()
	for b.Loop() {
		copy(forged, d)
		if _, ok := Sender(pb, forged); !ok {
			b.Fatal("no sender")
		}
		if _, err := two.Open(forged); err == nil {
			b.Fatal("a forged datagram opens")
		}
	}
}
