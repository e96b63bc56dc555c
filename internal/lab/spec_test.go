package lab

import (
	"testing"
	"time"
)

func TestSpecsAreReadAsWritten(t *testing.T) {
	for text, want := range map[string]Spec{
		"none":                      {Kind: None, UDPLife: 30 * time.Second},
		"port+rand+hairpin":         {Kind: PortCone, UDPLife: 30 * time.Second, Random: true, Hairpin: true},
		"sym+t5+mtu1280":            {Kind: Sym, UDPLife: 5 * time.Second, BlackHole: 1280},
		"fw+v6+no4":                 {Kind: Firewall, UDPLife: 30 * time.Second, IPv6: IPv6Stateful, NoIPv4: true},
		"linux+noudp+tcp443+v6open": {Kind: Linux, UDPLife: 30 * time.Second, NoUDP: true, Only443: true, IPv6: IPv6Open},
		"addr+openinput":            {Kind: AddrCone, UDPLife: 30 * time.Second, OpenInput: true},
		"sym+pm":                    {Kind: Sym, UDPLife: 30 * time.Second, PortMap: true},
	} {
		want.text = text
		if got, err := ParseSpec(text); err != nil || got != want {
			t.Errorf("%s is read as %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func TestMistypedSpecsAreRefused(t *testing.T) {
	for _, text := range []string{"", "cone", "port+", "port++rand", "port+rnd", "port+t", "port+t0", "port+t-5", "port+mtu1", "port+t999999", "+rand"} {
		if got, err := ParseSpec(text); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}
