package netcheck

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/stun"
)

func sights(all ...string) (s []Sight) {
	for _, x := range all {
		server, outside, _ := strings.Cut(x, ">")
		s = append(s, Sight{netip.MustParseAddrPort(server), netip.MustParseAddrPort(outside)})
	}
	return s
}

var own = []netip.Addr{netip.MustParseAddr("192.168.1.10"), netip.MustParseAddr("2001:db8::10")}

func TestMappingIsToldFromWhatServersSaw(t *testing.T) {
	for name, c := range map[string]struct {
		want Mapping
		all  []Sight
	}{
		"nobody answered":           {MappingUnknown, nil},
		"one server":                {MappingUnknown, sights("198.51.100.1:3478>203.0.113.7:1")},
		"one server, two ports":     {MappingUnknown, sights("198.51.100.1:3478>203.0.113.7:1", "198.51.100.1:443>203.0.113.7:1")},
		"two servers agree":         {MappingIndependent, sights("198.51.100.1:3478>203.0.113.7:1", "198.51.100.2:3478>203.0.113.7:1")},
		"they differ":               {MappingPort, sights("198.51.100.1:3478>203.0.113.7:1", "198.51.100.2:3478>203.0.113.7:2")},
		"they differ, ports do not": {MappingAddress, sights("198.51.100.1:3478>203.0.113.7:1", "198.51.100.1:443>203.0.113.7:1", "198.51.100.2:3478>203.0.113.7:2")},
		"ports differ":              {MappingPort, sights("198.51.100.1:3478>203.0.113.7:1", "198.51.100.1:443>203.0.113.7:2")},
		"our own address":           {MappingNone, sights("198.51.100.1:3478>192.168.1.10:1")},
		"another outside IP":        {MappingPort, sights("198.51.100.1:3478>203.0.113.7:1", "198.51.100.2:3478>203.0.113.8:1")},
	} {
		r := Draw(&Observed{IPv4: Family{Asked: true, Sights: c.all}, Own: own})
		if r.IPv4.Mapping != c.want || r.IPv4.UDP != (c.all != nil) {
			t.Errorf("%s: %v, want %v", name, r.IPv4.Mapping, c.want)
		}
	}
}

func TestReportSaysWhatItMeans(t *testing.T) {
	eim := sights("198.51.100.1:3478>203.0.113.7:41641", "198.51.100.2:3478>203.0.113.7:41641")
	sym := sights("198.51.100.1:3478>203.0.113.7:1", "198.51.100.2:3478>203.0.113.7:2")
	far := []Relay{{Name: "fra", UDP: 1, TLS: 1}}
	for want, o := range map[string]Observed{
		"No relay is known":                {},
		"No relay answers":                 {Relays: []Relay{{Name: "fra"}}},
		"over TLS, which works":            {Relays: []Relay{{Name: "fra", TLS: 1}}},
		"a login page":                     {Relays: []Relay{{Name: "fra", Foreign: true}}},
		"names are not found":              {Relays: []Relay{{Name: "fra", Nameless: true}}},
		"No relay has an IPv4 address":     {Relays: far, IPv6: Family{Sights: sights("[2001:db8::1]:1>[2001:db8::10]:1")}, Own: own},
		"IPv4 UDP does not pass":           {Relays: far, IPv4: Family{Asked: true}, IPv6: Family{Sights: sights("[2001:db8::1]:1>[2001:db8::10]:1")}, Own: own},
		"likely with all but some":         {Relays: far, IPv4: Family{Sights: eim, Filtering: stun.FilteringPort}},
		"lets everybody answer":            {Relays: far, IPv4: Family{Sights: eim, Filtering: stun.FilteringIndependent}},
		"each destination another address": {Relays: far, IPv4: Family{Sights: sym}},
		"would help":                       {Relays: far, IPv4: Family{Sights: sym}},
		"on request (PCP, UPnP)":           {Relays: far, IPv4: Family{Sights: sym}, Gateway: Gateway{Protocols: []string{"PCP", "UPnP"}, Outside: netip.MustParseAddr("203.0.113.7")}},
		"in over IPv6 on request":          {Relays: far, Gateway: Gateway{Pinholes: true}},
		"behind another NAT":               {Relays: far, IPv4: Family{Sights: sym}, Gateway: Gateway{Protocols: []string{"PCP"}, Outside: netip.MustParseAddr("100.64.1.1")}},
		"itself behind":                    {Relays: far, IPv4: Family{Sights: sym}, Gateway: Gateway{Protocols: []string{"PCP"}, Outside: netip.MustParseAddr("198.51.100.77")}},
		"does not turn packets back":       {Relays: far, IPv4: Family{Sights: eim}, Hairpin: No},
		"only 1300 bytes":                  {Relays: []Relay{{Name: "fra", UDP: 1, MTU: 1300}}, IPv4: Family{Sights: eim}},
		"The clock is off by 5m:":          {Relays: far, Clock: -5 * time.Minute, ClockIsKnown: true},
		"The clock is off by 70d:":         {Relays: far, Clock: -70 * 24 * time.Hour, ClockIsKnown: true},
		"ended by this machine's clock":    {Relays: []Relay{{Name: "fra", Ended: true}}},
		"Nothing passes but the proxy":     {Relays: []Relay{{Name: "fra", TLS: 1, Proxy: "proxy.example.com:3128"}}},
		"some time after 12s":              {Relays: far, IPv4: Family{Sights: eim}, Lifetime: 12 * time.Second},
		"no NAT":                           {Relays: far, IPv4: Family{Sights: sights("198.51.100.1:3478>192.168.1.10:1")}, Own: own},
	} {
		if r := Draw(&o); !strings.Contains(strings.Join(r.Meaning, "\n"), want) {
			t.Errorf("%q is not in %q", want, r.Meaning)
		}
	}
}

// Before somebody has logged in nothing passes, and what else is silent is no news.
func TestALoginPageIsNotCalledOffline(t *testing.T) {
	if r := Draw(&Observed{Relays: []Relay{{Name: "fra", Foreign: true}}}); len(r.Meaning) != 1 || !strings.Contains(r.Meaning[0], "a login page") {
		t.Errorf("%q", r.Meaning)
	}
}

// What a network has measured before says nothing of one in which no UDP passes, and a patient router is no news.
func TestLifetimeIsToldOfWhatPasses(t *testing.T) {
	o := Observed{Lifetime: 12 * time.Second}
	if r := Draw(&o); r.IPv4.Lifetime != 0 || strings.Contains(strings.Join(r.Meaning, "\n"), "forgets") {
		t.Errorf("without UDP: %+v", r)
	}
	o = Observed{Lifetime: 90 * time.Second, IPv4: Family{Sights: sights("198.51.100.1:3478>203.0.113.7:1")}}
	if r := Draw(&o); r.IPv4.Lifetime != 90*time.Second || r.IPv6.Lifetime != 0 || strings.Contains(strings.Join(r.Meaning, "\n"), "forgets") {
		t.Errorf("a patient one: %+v", r)
	}
}

func TestRelaysAreSortedByWhatTheyCost(t *testing.T) {
	r := Draw(&Observed{Relays: []Relay{{Name: "silent"}, {Name: "tls", TLS: 5}, {Name: "far", UDP: 100, TLS: 1}, {Name: "near", UDP: 10}, {Name: "tls2", TLS: 3, Foreign: true}}})
	var names []string
	for _, x := range r.Relays {
		names = append(names, x.Name)
	}
	if !slices.Equal(names, []string{"near", "far", "tls2", "tls", "silent"}) || r.Captive {
		t.Fatalf("%q, captive %v", names, r.Captive)
	}
}

func TestPortIsKeptIfEverybodySawIt(t *testing.T) {
	o := Observed{LocalPort: 7, IPv4: Family{Sights: sights("198.51.100.1:3478>203.0.113.7:7", "198.51.100.2:3478>203.0.113.7:7")}}
	if r := Draw(&o); r.IPv4.KeptPort != Yes || r.IPv6.KeptPort != Unknown || len(r.IPv4.Outside) != 1 {
		t.Fatalf("%+v", r)
	}
	o.IPv4.Sights[1].Outside = netip.MustParseAddrPort("203.0.113.7:8")
	if r := Draw(&o); r.IPv4.KeptPort != No {
		t.Fatalf("%+v", r)
	}
}
