package relay

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/core/forward"
	"github.com/cvlan/cvlan/relay/server"
	"github.com/cvlan/cvlan/relay/session"
)

func TestMetricsAreInPrometheussTextForm(t *testing.T) {
	var b bytes.Buffer
	new(Relay).writeMetrics(&b, server.Stats{Clients: 3, Bound: map[forward.Via]int{forward.UDP: 2, forward.Nowhere: 1}, Draining: true,
		Relayed: map[ident.Tenant]forward.Meter{7: {Bytes: 1000, Packets: 2}}, Frames: map[forward.Drop]uint64{forward.DropForged: 4, forward.Sent: 9}})
	for _, want := range []string{
		"\ncvlan_relay_clients_connected 3\n", "\ncvlan_relay_clients_bound{way=\"udp\"} 2\n", "\ncvlan_relay_draining 1\n",
		"\ncvlan_relay_controller_connected 0\n", "\ncvlan_relay_state_kept 1\n",
		"\ncvlan_relay_bytes_relayed_total{tenant=\"" + ident.Tenant(7).String() + "\"} 1000\n",
		"\ncvlan_relay_packets_dropped_total{reason=\"forged\"} 4\n", "\ncvlan_relay_packets_dropped_total{reason=\"queue_full\"} 0\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("lacks %q", want)
		}
	}
	if strings.Contains(b.String(), `reason="sent"`) {
		t.Error("what was sent counts as dropped")
	}
	line := regexp.MustCompile(`^(# (HELP|TYPE) cvlan_relay_[a-z_]+ .+|cvlan_relay_[a-z_]+(\{[a-z]+="[^"\\]*"\})? \d+)$`)
	for l := range strings.Lines(b.String()) {
		if !line.MatchString(strings.TrimSuffix(l, "\n")) {
			t.Errorf("no line of that form: %q", l)
		}
	}
}

func TestARelayIsHealthyWhileNodesCanUseIt(t *testing.T) {
	now := time.Unix(1e9, 0)
	later, before := now.Add(time.Hour), now.Add(-time.Hour)
	for _, c := range []struct {
		want             string
		joined, draining bool
		at               session.Phase
		end              time.Time
	}{
		{"ok", true, false, session.Connected, later},
		{"ok", true, false, session.Away, later},
		{"joining", false, false, session.Away, time.Time{}},
		{"draining", true, true, session.Connected, later},
		{"deleted", true, false, session.Deleted, later},
		{"expired", true, false, session.Away, before},
	} {
		if got := health(c.joined, c.draining, c.at, c.end, now); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestASettingThatCannotBeIsTold(t *testing.T) {
	err := Config{Listen: "1.2.3.4:1", STUN: "x", HTTP: "x", Advertise: []string{"x"}, Region: "X Y", Transport: "pigeon", Controller: make([]string, 9)}.Validate()
	for _, want := range []string{"data:", "listen:", "stun:", "http:", "advertise:", "region:", "controller:", "controller_transport:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell of %s", err, want)
		}
	}
	if err := (Config{Data: "x", Listen: DefaultListen, STUN: DefaultSTUN, HTTP: DefaultHTTP}).Validate(); err != nil {
		t.Error(err)
	}
}
