package main

import (
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/relay"
	"github.com/cvlan/cvlan/relay/session"
)

func TestHowARelayIsIsShownInWords(t *testing.T) {
	now := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	since := now.Add(-90 * time.Second)
	talks := session.State{Phase: session.Connected, Since: since, Address: "192.0.2.1:8443", Transport: "quic"}
	silent := talks
	silent.Phase = session.Silent
	for name, c := range map[string]struct {
		s           relay.Stats
		want, never []string
	}{
		"it has not joined": {relay.Stats{Controller: session.State{Phase: session.Away, Since: since}}, []string{"has not joined yet", "away for 1m30s"}, []string{"certificate", "disk"}},
		"all is well":       {relay.Stats{Relay: ident.Relay(5), CertUntil: now.Add(time.Minute), Controller: talks}, []string{"ends 2027-01-02", "192.0.2.1:8443 over quic, for 1m30s"}, []string{"disk", "joined"}},
		"long": {relay.Stats{CertUntil: now.Add(-time.Hour), Started: now.Add(-96 * 24 * time.Hour), Controller: session.State{Phase: session.Connected, Since: now.Add(-90 * 24 * time.Hour)}},
			[]string{"up           96d", "for 90d", "ended 2027-01-02: nodes do not believe it"}, []string{"ends"}},
		"its clock is wrong": {relay.Stats{Controller: session.State{Phase: session.Connected, Since: since, Clock: -70 * 24 * time.Hour}}, []string{"70d ahead of the controller's: set it"}, nil},
		"deleted":            {relay.Stats{Controller: session.State{Phase: session.Deleted, Since: since, Problem: "gone"}}, []string{"turned this relay away 1m30s ago: gone"}, []string{"away for"}},
		"silence":            {relay.Stats{Controller: silent}, []string{"192.0.2.1:8443 over quic, has not answered for 1m30s"}, nil},
		"nobody there":       {relay.Stats{Controller: session.State{Phase: session.Away, Since: since, Problem: "no answer in time"}}, []string{"away for 1m30s: no answer in time"}, nil},
		"a full disk":        {relay.Stats{Unkept: &relay.Unkept{Since: since, Problem: "write admit: the disk is full"}}, []string{"lacks what a restart would need, for 1m30s: write admit: the disk is full"}, nil},
	} {
		var b strings.Builder
		if err := show(&b, c.s, now); err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s: no %q in\n%s", name, want, b.String())
			}
		}
		for _, never := range c.never {
			if strings.Contains(b.String(), never) {
				t.Errorf("%s: %q in\n%s", name, never, b.String())
			}
		}
	}
}
