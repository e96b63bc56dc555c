package relay

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
)

var secret = func() (s Secret) {
	for i := range s {
		s[i] = byte(i)
	}
	return s
}()

// sipOf is SipHash-2-4 of any length, as the paper writes it down; it stands against the vector of the paper's appendix A.
func sipOf(k Key, m []byte) uint64 {
	v0, v1, v2, v3 := k.K0^0x736f6d6570736575, k.K1^0x646f72616e646f6d, k.K0^0x6c7967656e657261, k.K1^0x7465646279746573
	absorb := func(m uint64) {
		v3 ^= m
		for range 2 {
			v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
		}
		v0 ^= m
	}
	last := uint64(len(m)) << 56
	for ; len(m) >= 8; m = m[8:] {
		absorb(binary.LittleEndian.Uint64(m))
	}
	for i, c := range m {
		last |= uint64(c) << (8 * i)
	}
	absorb(last)
	v2 ^= 0xff
	for range 4 {
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	}
	return v0 ^ v1 ^ v2 ^ v3
}

func TestSipHashIsThatOfThePaper(t *testing.T) {
	k := Key{0x0706050403020100, 0x0f0e0d0c0b0a0908}
	if got := sipOf(k, []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}); got != 0xa129ca6149be45e5 {
		t.Fatalf("the vector of appendix A gives %x", got)
	}
	for range 100 {
		a, b, c := rand.Uint64(), rand.Uint64(), rand.Uint64()
		m := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, a), b), c)
		if sip(k, a, b, c) != sipOf(k, m) {
			t.Fatal("three words differ from 24 bytes")
		}
	}
}

func TestAPacketIsPaidForByItsChannelOnly(t *testing.T) {
	k, other := ChannelKey(&secret, 7), ChannelKey(&secret, 8)
	b := make([]byte, 100)
	PutData(b, 7, k)
	if !IsData(b) || !Authentic(b, k) || Authentic(b, other) || NumberOf(b) != 7 {
		t.Fatal("the frame does not read as it was written")
	}
	for i := range MinData {
		b[i] ^= 1
		if IsData(b) && Authentic(b, k) {
			t.Errorf("byte %d is not covered", i)
		}
		b[i] ^= 1
	}
	if IsData(b[:MinData-1]) || IsData(make([]byte, MaxFrame+1)) {
		t.Error("a length out of bounds was accepted")
	}
	PutDeliver(b, 9, TagOf(&secret, 5))
	if r, tag, p, err := ReadDeliver(b); err != nil || r != 9 || tag != TagOf(&secret, 5) || len(p) != 84 {
		t.Error("the delivery does not read as it was written", err)
	}
}

func controls() []Control {
	at := netip.MustParseAddrPort("192.0.2.1:41641")
	return []Control{
		{Kind: Bind, Client: 1, Transaction: 2}, {Kind: Bind, Client: 1, Transaction: 3, Cookie: [16]byte{1, 2, 3}},
		{Kind: Cookie, Client: 1, Transaction: 2, Cookie: [16]byte{1, 2, 3}}, {Kind: Bound, Client: 1, Transaction: 3, Seen: at, Idle: 300},
		{Kind: Open, Client: 1, Transaction: 4, Node: 77}, {Kind: Opened, Client: 1, Transaction: 4, Channel: 12},
		{Kind: Open, Client: 1, Transaction: 4, Node: 77, Claim: at.Addr()}, {Kind: Opened, Client: 1, Transaction: 4, Channel: 12, There: true},
		{Kind: Close, Client: 1, Transaction: 5, Channel: 12}, {Kind: Keepalive, Client: 1, Transaction: 6},
		{Kind: Alive, Client: 1, Transaction: 6, Seen: netip.MustParseAddrPort("[2001:db8::1]:9"), Idle: 300},
		{Kind: Refused, Reason: Absent, Client: 1, Transaction: 4}, {Kind: Bye, Client: 1, Reason: Draining},
		{Kind: Ask, Client: 1, Transaction: 7, Tenant: 5, From: 76, Node: 77}, {Kind: See, Client: 1, Transaction: 8, Channel: 12, Claim: at.Addr()},
		{Kind: Opened, Client: 1, Transaction: 9, Channel: 12, Took: true}, {Kind: Bound, Client: 1, Transaction: 3, Seen: at, Idle: 300, Calls: true},
		{Kind: Offered, Client: 1, Transaction: Unasked + 10, Channel: 13, Node: 76},
	}
}

// call is a Call of node 77 with a payload of 20 bytes.
func call() []byte {
	f := (&Control{Kind: Call, Client: 1, Transaction: 9, Node: 77}).Append(nil, &secret)
	for i := range byte(MinPayload + 4) {
		f = append(f, 0x10+i)
	}
	return f
}

func TestACallIsAnOpenWithAPayload(t *testing.T) {
	f := call()
	if c, ok := ReadControl(f, &secret); !ok || c != (Control{Kind: Call, Client: 1, Transaction: 9, Node: 77}) || len(Called(f)) != MinPayload+4 || Called(f)[0] != 0x10 {
		t.Fatalf("reads as %+v, %v", c, ok)
	}
	for i := range ControlSize {
		f[i] ^= 0x40
		if _, ok := ReadControl(f, &secret); ok {
			t.Errorf("byte %d may be changed", i)
		}
		f[i] ^= 0x40
	}
	if IsControl(f[:ControlSize+MinPayload-1]) || IsControl(append(f[:ControlSize:ControlSize], make([]byte, MaxCall-ControlSize+1)...)) {
		t.Error("a payload out of bounds was accepted")
	}
	if open := (&Control{Kind: Open, Node: 77}).Append(nil, &secret); Called(open) != nil || IsControl(append(open, 0)) {
		t.Error("an Open has a payload")
	}
}

func TestEveryControlFrameIsOfOneLengthAndCoveredWhole(t *testing.T) {
	for _, c := range controls() {
		f := c.Append(nil, &secret)
		if got, ok := ReadControl(f, &secret); !ok || got != c || len(f) != ControlSize {
			t.Fatalf("%+v reads as %+v, %v", c, got, ok)
		}
		for i := range f {
			f[i] ^= 0x40
			if _, ok := ReadControl(f, &secret); ok {
				t.Errorf("kind %d: byte %d may be changed", c.Kind, i)
			}
			f[i] ^= 0x40
		}
		if _, ok := ReadControl(f, &Secret{}); ok {
			t.Error("another client's secret opens it")
		}
	}
}

func TestAnObserverSeesNoName(t *testing.T) {
	a := (&Control{Kind: Open, Transaction: 1, Node: 77}).Append(nil, &secret)
	b := (&Control{Kind: Open, Transaction: 2, Node: 77}).Append(nil, &secret)
	if bytes.Equal(a[16:24], b[16:24]) || binary.BigEndian.Uint64(a[16:]) == 77 {
		t.Error("the destination of Open can be followed")
	}
	q := (&Control{Kind: Ask, Transaction: 1, Tenant: 5, From: 76, Node: 77}).Append(nil, &secret)
	for at, name := range map[int]uint64{16: 5, 24: 76, 32: 77} {
		if binary.BigEndian.Uint64(q[at:]) == name {
			t.Error("Ask shows a name")
		}
	}
	if TagOf(&secret, 77) == TagOf(&Secret{}, 77) {
		t.Error("the tag of a sender is the same for two receivers")
	}
	for _, format := range []string{"%v", "%s", "%#v"} {
		if s := fmt.Sprintf(format, secret); s != "relay secret" {
			t.Errorf("%s prints %q", format, s)
		}
	}
}

func TestANoticeIsNeverLongerThanItsCause(t *testing.T) {
	if _, ok := NoticeOf(make([]byte, MinData-1), Unknown, NoReason); ok {
		t.Error("31 bytes are answered with 32")
	}
	b := make([]byte, MinData)
	PutData(b, 7, ChannelKey(&secret, 7))
	n, _ := NoticeOf(b, Closed, Gone)
	f := n.Append(nil, &secret)
	if got, ok := ReadNotice(f, &secret); !ok || got != n || len(f) > len(b) {
		t.Errorf("reads as %+v, %v", got, ok)
	}
	f[2] ^= 1
	if _, ok := ReadNotice(f, &secret); ok {
		t.Error("a forged Closed is believed")
	}
	u, _ := NoticeOf(b, Unknown, NoReason)
	if got, ok := ReadNotice(u.Append(nil, nil), &secret); !ok || got.Echo != binary.BigEndian.Uint64(b[8:]) {
		t.Error("Unknown lost its echo")
	}
}

func TestRegistrationAgreesOnAVersion(t *testing.T) {
	for _, h := range []Hello{{Min: 1, Max: 1}, {Min: 3, Max: 4}} {
		if got, err := ReadHello(h.Append(nil)); err != nil || got.Min != h.Min || got.Max != h.Max {
			t.Errorf("what another version says is not read: %+v, %v", got, err)
		} else if _, ok := got.Agree(); ok {
			t.Errorf("%d to %d, which we do not speak, was agreed on", h.Min, h.Max)
		}
	}
	f := introduction(t)
	f[4], f[5] = 1, 3
	h, err := ReadHello(append(f, "what is for later versions"...))
	if v, ok := h.Agree(); err != nil || !ok || v != 2 {
		t.Error("1 to 3 and 2 do not agree", err)
	}
	w := Welcome{Version: 1, Client: 5, Idle: 300, Channels: 1024, Secret: secret}
	if got, err := ReadWelcome(w.Append(nil)); err != nil || got != w {
		t.Errorf("reads as %+v, %v", got, err)
	}
}

func TestAStreamIsCutIntoItsFrames(t *testing.T) {
	var s []byte
	var err error
	for _, c := range controls() {
		if s, err = AppendStream(s, c.Append(nil, &secret)); err != nil {
			t.Fatal(err)
		}
	}
	var held []byte
	n := 0
	for _, c := range s { // one byte at a time
		held = append(held, c)
		f, rest, err := NextStream(held)
		if err != nil {
			t.Fatal(err)
		}
		if f != nil {
			if got, ok := ReadControl(f, &secret); !ok || got != controls()[n] {
				t.Fatal("frame", n, got)
			}
			n, held = n+1, rest
		}
	}
	if n != len(controls()) || len(held) != 0 {
		t.Error("got", n, "frames")
	}
	if _, _, err := NextStream([]byte{0xff, 0xff}); err == nil {
		t.Error("a frame of 65535 bytes is waited for")
	}
}

func BenchmarkAuthentic(b *testing.B) {
	k := ChannelKey(&secret, 7)
	f := make([]byte, 1296)
	PutData(f, 7, k)
	b.ReportAllocs()
	for b.Loop() {
		if !Authentic(f, k) {
			b.Fatal("forged")
		}
	}
}
