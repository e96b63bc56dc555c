package forward

import (
	"net/netip"
	"testing"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/relay"
)

// A node may ask whether a peer is at an address, and learns no more than that.
func TestARelayConfirmsAnAddressAndTellsNone(t *testing.T) {
	w, a, b := story(t, Config{})
	ask := func(node ident.Node, at netip.Addr) relay.Control {
		w.say(a, a.at, relay.Control{Kind: relay.Open, Node: node, Claim: at})
		got, _ := w.answer(a)
		return got
	}
	there := b.at.AddrPort().Addr()
	if got := ask(b.node, there); got.Kind != relay.Opened || !got.There {
		t.Errorf("%+v", got)
	}
	for _, at := range []netip.Addr{{}, there.Next(), netip.IPv6Unspecified()} {
		if got := ask(b.node, at); got.Kind != relay.Opened || got.There {
			t.Errorf("at %v: %+v", at, got)
		}
	}
	if got := ask(b.node+1000, there); got.There {
		t.Errorf("a stranger: %+v", got)
	}
}
