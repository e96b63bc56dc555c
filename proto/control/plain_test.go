package control

import (
	"bytes"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control/pb"
)

func phone() Plain {
	return Plain{ID: 1 << 62, Name: "phone", WG: key.NewWGPrivate().Public(), Preshared: key.NewPreshared(), Address4: netip.MustParseAddr("10.9.8.7"),
		Address6: netip.MustParseAddr("fd00::7"), Endpoint: netip.MustParseAddrPort("192.0.2.7:51820"), Keepalive: 25, Revision: 3}
}

func message(t testing.TB, p Plain) *pb.Plain {
	m := new(pb.Plain)
	if err := proto.Unmarshal(p.Encode(), m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPlainDevicesSurviveTheWire(t *testing.T) {
	full, bare := phone(), phone()
	bare.Preshared, bare.Endpoint, bare.Keepalive, bare.Address6 = key.Preshared{}, netip.AddrPort{}, 0, netip.Addr{}
	for _, p := range []Plain{full, bare} {
		got, err := ParsePlain(message(t, p))
		if err != nil || got != p {
			t.Errorf("%+v, %v; want %+v", got, err, p)
		}
	}
	want := []netip.Prefix{netip.MustParsePrefix("10.9.8.7/32"), netip.MustParsePrefix("fd00::7/128")}
	if !slices.Equal(full.Hosts(), want) || !slices.Equal(bare.Hosts(), want[:1]) {
		t.Errorf("%v and %v", full.Hosts(), bare.Hosts())
	}
	if n := len(full.Encode()); n > 160 {
		t.Errorf("an entry takes %d bytes", n)
	}
}

func TestPlainDevicesThatNobodySendsAreRefused(t *testing.T) {
	for what, spoil := range map[string]func(*pb.Plain){
		"no id": func(m *pb.Plain) { m.Id = 0 }, "no key": func(m *pb.Plain) { m.WgKey = nil }, "zero key": func(m *pb.Plain) { m.WgKey = make([]byte, 32) },
		"short key": func(m *pb.Plain) { m.WgKey = m.WgKey[:31] }, "long key": func(m *pb.Plain) { m.WgKey = append(m.WgKey, 1) },
		"short preshared key": func(m *pb.Plain) { m.PresharedKey = m.PresharedKey[:16] },
		"no address":          func(m *pb.Plain) { m.Address4, m.Address6 = nil, nil }, "half an address": func(m *pb.Plain) { m.Address6 = m.Address6[:8] },
		"multicast": func(m *pb.Plain) { m.Address4 = []byte{224, 0, 0, 1} }, "name": func(m *pb.Plain) { m.Name = "a\nPostUp=x" },
		"endpoint": func(m *pb.Plain) { m.Endpoint = []byte{1, 2, 3, 4, 0, 0} }, "keepalive": func(m *pb.Plain) { m.Keepalive = 1 << 16 },
	} {
		m := message(t, phone())
		spoil(m)
		if p, err := ParsePlain(m); err == nil {
			t.Errorf("%s passed as %+v", what, p)
		}
	}
	if _, err := ParsePlain(nil); err == nil {
		t.Error("nothing passed")
	}
}

func FuzzParsePlain(f *testing.F) {
	p := phone()
	p.WG, p.Preshared = key.WGPublic{1}, key.Preshared{}
	f.Add(p.Encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		m := new(pb.Plain)
		if proto.Unmarshal(b, m) != nil {
			return
		}
		p, err := ParsePlain(m)
		if err != nil {
			return
		}
		again, err := ParsePlain(message(t, p))
		if err != nil || !reflect.DeepEqual(again, p) || !bytes.Equal(again.Encode(), p.Encode()) || len(p.Encode()) > MaxPlain {
			t.Fatalf("%+v does not survive: %+v, %v", p, again, err)
		}
	})
}
