package daemon

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/core/path"
	"github.com/cvlan/cvlan/internal/core/relayed"
	"github.com/cvlan/cvlan/internal/node/engine"
	"github.com/cvlan/cvlan/internal/node/guide"
)

func TestAKeepaliveSaysWhyItIsSoFrequent(t *testing.T) {
	const (
		unknown  = "nearly every router remembers for longer; this one's memory is not measured yet"
		measured = "the router remembers for at least 1m30s"
	)
	straight, relay := path.Way{Remote: netip.MustParseAddrPort("203.0.113.7:41641")}, path.Way{Relay: 3}
	six := path.Way{Remote: netip.MustParseAddrPort("[2001:db8::7]:41641")}
	for name, c := range map[string]struct {
		way            path.Way
		lifetime, keep time.Duration
		worn, demands  bool
		want           string
	}{
		"direct, not measured":              {way: straight, keep: 25 * time.Second, want: unknown},
		"direct, measured":                  {way: straight, lifetime: 90 * time.Second, keep: 72 * time.Second, want: measured},
		"direct by IPv6":                    {way: six, lifetime: 90 * time.Second, keep: 25 * time.Second, want: "nearly every firewall remembers for longer; this one's memory is measured for IPv4 alone"},
		"direct by IPv6, not measured":      {way: six, keep: 25 * time.Second, want: unknown},
		"direct, after a loss":              {way: straight, lifetime: 90 * time.Second, keep: 16 * time.Second, worn: true, want: "a way was lost that had been idle for longer"},
		"a relay, not measured":             {way: relay, keep: 20 * time.Second, want: unknown},
		"a relay, measured":                 {way: relay, lifetime: 90 * time.Second, keep: 20 * time.Second, want: measured},
		"a relay that wants to hear of us":  {way: relay, lifetime: 90 * time.Second, keep: 30 * time.Second, demands: true, want: "the relay wants to hear from this machine so often"},
		"a relay, though a path was lost":   {way: relay, keep: 20 * time.Second, worn: true, want: unknown},
		"a relay whose link is down: never": {way: relay, want: ""},
	} {
		w := guide.Ways{Status: path.Status{Chosen: c.way, Worn: c.worn}, Lifetime: c.lifetime}
		if c.way.Direct() {
			w.Keep = c.keep
		} else {
			w.Keep, w.Links[3] = 7*time.Second, relayed.Status{Keep: c.keep, Demands: c.demands}
		}
		if every, why := keepalive(&w); every != c.keep || why != c.want {
			t.Errorf("%s: every %v, as %q", name, every, why)
		}
	}
}

// An address that is tried from several sockets is one way; it is as the best of them is.
func TestAnAddressIsOneWayWhateverTheSocket(t *testing.T) {
	a, b := netip.MustParseAddrPort("203.0.113.7:41641"), netip.MustParseAddrPort("203.0.113.8:41641")
	chosen := path.Way{Socket: 3, Remote: a}
	w := guide.Ways{Status: path.Status{Chosen: chosen, Candidates: []path.Candidate{
		{Way: chosen, State: path.Works, RTT: time.Millisecond}, {Way: path.Way{Relay: 1}, State: path.Works}, {Way: path.Way{Relay: 2}, State: path.Works},
		{Way: path.Way{Remote: a}, State: path.Trying}, {Way: path.Way{Remote: b}, State: path.Trying}, {Way: path.Way{Socket: 3, Remote: b}, State: path.Trying},
	}}}
	var p local.PeerPath
	guidedTo(&p, &engine.Status{}, &w, nil)
	if all := p.Candidates; len(all) != 4 || !all[0].Chosen || all[0].State != path.Works.String() || *all[0].Address != a || *all[3].Address != b {
		t.Errorf("it shows %+v", all)
	}
}

// What ICMP has told the system counts beside what was measured, and a relay's header is part of a packet.
func TestAPacketIsAsLongAsTheSystemLetsIt(t *testing.T) {
	four, six := netip.MustParseAddrPort("203.0.113.7:41641"), netip.MustParseAddrPort("[2001:db8::7]:41641")
	narrow := func(netip.Addr) (int, error) { return 1400, nil }
	for name, c := range map[string]struct {
		way   path.Way
		size  int
		link  relayed.Status
		known knownMTU
		want  int
	}{
		"not measured":                    {way: path.Way{Remote: four}, known: narrow},
		"IPv4":                            {way: path.Way{Remote: four}, size: 1472, want: 1500},
		"IPv6":                            {way: path.Way{Remote: six}, size: 1452, want: 1500},
		"a relay at an IPv4 address":      {way: path.Way{Relay: 3}, size: 1436, link: relayed.Status{Remote: four}, want: 1480},
		"a relay at an IPv6 address":      {way: path.Way{Relay: 3}, size: 1436, link: relayed.Status{Remote: six}, want: 1500},
		"a relay on a connection":         {way: path.Way{Relay: 3}, size: 1436, link: relayed.Status{Remote: four, Carried: true}},
		"a relay whose link is gone":      {way: path.Way{Relay: 3}, size: 1436},
		"the system knows less":           {way: path.Way{Remote: four}, size: 1472, known: narrow, want: 1400},
		"the system knows less: a relay":  {way: path.Way{Relay: 3}, size: 1436, link: relayed.Status{Remote: four}, known: narrow, want: 1400},
		"the system knows nothing better": {way: path.Way{Remote: four}, size: 1232, known: narrow, want: 1260},
		"the system knows nothing": {way: path.Way{Remote: four}, size: 1472, want: 1500,
			known: func(netip.Addr) (int, error) { return 0, errors.ErrUnsupported }},
	} {
		w := guide.Ways{}
		w.Links[3] = c.link
		if got := candidate(&engine.Status{}, &w, path.Candidate{Way: c.way, MTU: c.size}, c.known).MTU; got != c.want {
			t.Errorf("%s: %d", name, got)
		}
	}
}
