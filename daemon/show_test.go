package daemon

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/proto/control"
)

func TestAWrongClockIsTold(t *testing.T) {
	for want, ahead := range map[string]time.Duration{"70d ahead of": -70 * 24 * time.Hour, "1h behind": time.Hour} {
		if w := clockWarning(ahead, true); len(w) != 1 || w[0].Code != "clock-wrong" || !strings.Contains(w[0].What, want) || w[0].Hint == "" {
			t.Errorf("%v: %+v", ahead, w)
		}
	}
	if w := append(clockWarning(time.Hour, false), clockWarning(time.Second, true)...); w != nil {
		t.Errorf("a right one: %+v", w)
	}
}

func TestAPlainDeviceIsShownAsOne(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	at := netip.MustParseAddrPort("192.0.2.7:51820")
	p := &control.Plain{ID: 9, Name: "phone", WG: key.WGPublic{1}, Preshared: key.NewPreshared(), Address4: netip.MustParseAddr("10.7.0.9"), Endpoint: at}
	got := plain(p, nil, now)
	if got.Kind != local.PlainPeer || got.Name != "phone" || got.Online || got.Path != local.PathIdle || len(got.Addresses) != 1 || got.Candidates[0] != at || got.Endpoint != nil {
		t.Errorf("%+v", got)
	}
	live := map[key.WGPublic]tunnel.PeerState{p.WG: {Endpoint: at, LastHandshake: now.Add(-time.Minute), RxBytes: 7}}
	if got = plain(p, live, now); got.Path != local.PathDirect || *got.Endpoint != at || got.RxBytes != 7 {
		t.Errorf("%+v", got)
	}
	if got = plain(p, live, now.Add(time.Hour)); got.Path != local.PathIdle {
		t.Errorf("%+v", got)
	}
}

func TestWhoIsIdleIsReachedThroughNoRelay(t *testing.T) {
	at := netip.MustParseAddrPort("192.0.2.1:41641")
	busy, idle := local.Peer{Path: local.PathDirect, Endpoint: &at}, local.Peer{Path: local.PathIdle, Endpoint: &at}
	carried(&busy, "fra-1")
	carried(&idle, "fra-1")
	if busy.Path != local.PathRelay || busy.Relay != "fra-1" || busy.Endpoint != nil || idle.Path != local.PathIdle || idle.Relay != "" || idle.Endpoint != nil {
		t.Errorf("busy: %+v, idle: %+v", busy, idle)
	}
}
