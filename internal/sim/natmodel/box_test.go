package natmodel

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

var (
	outside = netip.MustParseAddr("198.51.100.1")
	inside  = netip.MustParseAddrPort("192.168.1.2:41641")
	// Two ports of one server, and another server.
	servers = [3]netip.AddrPort{netip.MustParseAddrPort("203.0.113.10:3478"), netip.MustParseAddrPort("203.0.113.10:3479"), netip.MustParseAddrPort("203.0.113.11:3478")}
)

const start = mono.Time(time.Second)

func box(t *testing.T, kind string) *Box {
	t.Helper()
	c, err := Kind(kind)
	if err != nil {
		t.Fatal(err)
	}
	return New(c, outside, rand.New(rand.NewPCG(1, 2)))
}

func TestKindsAreWhatTheySay(t *testing.T) {
	type seen struct {
		mapping, filtering Rule
		keepsPort          bool
	}
	for kind, want := range map[string]seen{
		"none":            {Endpoint, Endpoint, true},
		"fw":              {Endpoint, AddressAndPort, true},
		"fullcone":        {Endpoint, Endpoint, true},
		"addr":            {Endpoint, Address, true},
		"port":            {Endpoint, AddressAndPort, true},
		"port+rand":       {Endpoint, AddressAndPort, false},
		"linux+openinput": {Endpoint, AddressAndPort, true},
		"symaddr":         {AddressAndPort, Address, false},
		"sym":             {AddressAndPort, AddressAndPort, false},
		"symseq":          {AddressAndPort, AddressAndPort, false},
	} {
		b := box(t, kind)
		first, ok := b.Out(start, inside, servers[0])
		if !ok {
			t.Errorf("%s: nothing passes", kind)
			continue
		}
		got := seen{filtering: AddressAndPort, keepsPort: first.Port() == inside.Port()}
		if _, in := b.In(start, servers[1], first); in {
			got.filtering = Address
		}
		if _, in := b.In(start, servers[2], first); in {
			got.filtering = Endpoint
		}
		if back, in := b.In(start, servers[0], first); !in || back != inside {
			t.Errorf("%s: the answer goes to %v, %v", kind, back, in)
		}
		b = box(t, kind) // one that no stranger has spoken to
		first, _ = b.Out(start, inside, servers[0])
		otherPort, _ := b.Out(start, inside, servers[1])
		otherHost, _ := b.Out(start, inside, servers[2])
		switch {
		case otherPort != first:
			got.mapping = AddressAndPort
		case otherHost != first:
			got.mapping = Address
		}
		if got != want {
			t.Errorf("%s behaves like %+v, want %+v", kind, got, want)
		}
	}
}

func TestUnusedMappingsDie(t *testing.T) {
	b := box(t, "port")
	ext, _ := b.Out(start, inside, servers[0])
	if _, in := b.In(start.Add(29*time.Second), servers[0], ext); !in {
		t.Error("it died too early")
	}
	if _, in := b.In(start.Add(58*time.Second), servers[0], ext); !in {
		t.Error("what came in did not keep it alive")
	}
	if _, in := b.In(start.Add(89*time.Second), servers[0], ext); in {
		t.Error("it lives on")
	}
}

func TestRebootAndRenumberForget(t *testing.T) {
	b := box(t, "fullcone")
	ext, _ := b.Out(start, inside, servers[0])
	b.Reboot()
	if _, in := b.In(start, servers[0], ext); in {
		t.Error("a mapping outlived a reboot")
	}
	other := netip.MustParseAddr("198.51.100.77")
	b.Renumber(other)
	if ext, _ := b.Out(start, inside, servers[0]); ext.Addr() != other {
		t.Errorf("it appears as %v", ext)
	}
}

func TestAStrangerTakesAPortFromAnOpenRouter(t *testing.T) {
	early, port := servers[2], inside.Port()
	for _, known := range []bool{false, true} { // whether the mapping is older than the stranger's datagram
		b := box(t, "linux+openinput")
		if known {
			b.Out(start, inside, servers[0])
		}
		b.In(start, early, netip.AddrPortFrom(outside, port))
		ext, _ := b.Out(start, inside, early)
		if ext.Port() == port {
			t.Errorf("mapping known before: %v: the port is still there", known)
		}
		if back, in := b.In(start, early, ext); !in || back != inside {
			t.Error("the new mapping lets nobody answer")
		}
	}
	b := box(t, "port")
	b.In(start, early, netip.AddrPortFrom(outside, port))
	if ext, _ := b.Out(start, inside, early); ext.Port() != port {
		t.Error("a silent router lost its port, too")
	}
}

func TestTwoSocketsOfOnePortDoNotShareAMapping(t *testing.T) {
	b := box(t, "port")
	one, _ := b.Out(start, inside, servers[0])
	two, _ := b.Out(start, netip.MustParseAddrPort("192.168.1.3:41641"), servers[0])
	if one == two {
		t.Errorf("both appear as %v", one)
	}
}

func TestNoUDPMeansNone(t *testing.T) {
	b := box(t, "noudp")
	if _, out := b.Out(start, inside, servers[0]); out {
		t.Error("a datagram left")
	}
}
