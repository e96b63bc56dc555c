package daemon

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/internal/node/engine"
)

func TestOffersTellWhatIsInTheirWay(t *testing.T) {
	lan, own := netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("10.77.3.0/24")
	s := &engine.Status{Serving: engine.Serving{Offered: []netip.Prefix{lan, own}, Approved: []netip.Prefix{lan}, Problem: errors.New("the disk is full")}}
	s.Network.Range4 = netip.MustParsePrefix("10.77.0.0/16")
	all := offers(s)
	if len(all) != 2 || !all[0].Approved || all[0].Fault != "the disk is full" || all[1].Approved || !strings.Contains(all[1].Fault, "10.77.0.0/16") {
		t.Errorf("%+v", all)
	}
}
