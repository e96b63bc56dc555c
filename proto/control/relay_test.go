package control

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/proto/control/pb"
)

func fra() Relay {
	return Relay{ID: 1 << 62, Name: "fra-1", Region: "eu", Addresses: []string{"fra.example.net:443", "[2001:db8::1]:8443"}, STUN: 3478, Draining: true}
}

func TestRelaysSurviveTheWire(t *testing.T) {
	bare := Relay{ID: 7, Name: "sfo", Addresses: []string{"192.0.2.1:8443"}}
	m := new(pb.Relays)
	if err := proto.Unmarshal(EncodeRelays([]Relay{fra(), bare}), m); err != nil {
		t.Fatal(err)
	}
	for i, want := range []Relay{fra(), bare} {
		if got, err := ParseRelay(m.Relays[i]); err != nil || !got.Equal(want) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	if fra().Equal(bare) {
		t.Error("two relays are told alike")
	}
}

func TestARelayThatNobodyOfOursWouldTellIsRefused(t *testing.T) {
	for why, spoil := range map[string]func(*pb.Relay){
		"no identifier":              func(m *pb.Relay) { m.Id = 0 },
		"its STUN port":              func(m *pb.Relay) { m.StunPort = 1 << 16 },
		"its name":                   func(m *pb.Relay) { m.Name = "Fra 1" },
		"or region":                  func(m *pb.Relay) { m.Region = "e\nu" },
		"no address":                 func(m *pb.Relay) { m.Addresses = nil },
		"want host:port":             func(m *pb.Relay) { m.Addresses[0] = "fra.example.net" },
		"number from 1":              func(m *pb.Relay) { m.Addresses[0] = "fra.example.net:0" },
		"characters that":            func(m *pb.Relay) { m.Addresses[0] = "fra\x1b:443" },
		"at most 8":                  func(m *pb.Relay) { m.Addresses = slices.Repeat([]string{"a:1"}, 9) },
		"\"aaaaaaaaaaaaaaaaaaaaaaaa": func(m *pb.Relay) { m.Addresses[0] = strings.Repeat("a", 300) + ":443" },
	} {
		m := fra().Message()
		m.Addresses = slices.Clone(m.Addresses)
		spoil(m)
		if r, err := ParseRelay(m); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%v, %v; want %q", r, err, why)
		}
	}
}
