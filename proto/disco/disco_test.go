package disco

import (
	"encoding/hex"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/internal/base/key"
)

func pairs(t testing.TB) (a, b *Pair, pa, pb key.WGPublic) {
	var ka, kb [32]byte
	ka[1], kb[1] = 1, 2
	one, _ := key.ParseWGPrivate(ka[:])
	two, _ := key.ParseWGPrivate(kb[:])
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

var at = netip.MustParseAddrPort("192.0.2.1:7")

func messages() []Message {
	return []Message{
		{Kind: Ping, ID: 1, Size: MinPing}, {Kind: Pong, ID: 1, Size: 1400, Addresses: []netip.AddrPort{at}},
		{Kind: Offer, ID: 9, Addresses: []netip.AddrPort{at, netip.MustParseAddrPort("[2001:db8::1]:9")}},
		{Kind: PathMTU, Size: 1452}, {Kind: Part, ID: 3, Step: 1, Index: 1, Of: 2, Data: []byte("rest")},
	}
}

func TestVectorsOpenAndAreMadeAgain(t *testing.T) {
	a, b, pa, pb := pairs(t)
	var made []string
	for i, m := range messages() {
		d, err := a.Seal(nil, [NonceSize]byte{byte(i)}, &m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.Open(d)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Fatalf("%+v, %v; want %+v", got, err, m)
		}
		if index, ok := Sender(pb, d); !ok || index != Index(pa, pb) {
			t.Fatal("the sender is not found")
		}
		if _, err := a.Open(d); err != ErrRefused {
			t.Fatal("a reflected datagram opens")
		}
		for i := range d {
			d[i] ^= 1
			if _, err := b.Open(d); err == nil {
				t.Fatalf("byte %d may change", i)
			}
			d[i] ^= 1
		}
		made = append(made, hex.EncodeToString(d))
	}
	want, err := os.ReadFile("testdata/vectors.txt")
	if err != nil || string(want) != strings.Join(made, "\n")+"\n" {
		t.Fatalf("vectors differ:\n%s", strings.Join(made, "\n"))
	}
}

func TestUnsoundMessagesAreNotSealed(t *testing.T) {
	a, _, _, _ := pairs(t)
	for _, m := range []Message{{}, {Kind: 9}, {Kind: Pong}, {Kind: Ping, Size: MaxDatagram + 1}, {Kind: Offer}, {Kind: Part, Of: 1}} {
		if m.Kind == Offer {
			for range MaxAddresses + 1 {
				m.Addresses = append(m.Addresses, at)
			}
		}
		if _, err := a.Seal(nil, [NonceSize]byte{}, &m); err == nil {
			t.Errorf("%+v was sealed", m)
		}
	}
	if _, err := NewPair(key.NewWGPrivate(), key.WGPublic{}); err == nil {
		t.Error("a peer's key of low order was taken")
	}
}

func FuzzParse(f *testing.F) {
	for _, m := range messages() {
		b, _ := m.append(nil)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b)+Overhead > MaxDatagram {
			return
		}
		m, err := parse(b)
		if err != nil {
			return
		}
		again, err := m.append(nil)
		if err != nil || len(again) != len(b) {
			t.Fatalf("%+v becomes %x, %v", m, again, err)
		}
	})
}
