package daemon

import (
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/path"
	"github.com/cvlan/cvlan/internal/core/relayed"
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
