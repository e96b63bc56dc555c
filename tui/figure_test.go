package tui

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/cvlan/cvlan/api/local"
)

// city is a network of n peers, of which one in ten changes its traffic each second.
func city(n int) local.Status {
	s := office()
	peers := make([]local.Peer, n)
	for i := range peers {
		a := netip.AddrFrom4([4]byte{10, 77, byte(i >> 8), byte(i)})
		seen := noon.Add(-time.Duration(i) * time.Second)
		peers[i] = local.Peer{Node: local.Node{ID: fmt.Sprintf("n%05d", i), Name: fmt.Sprintf("node-%d.floor-%d", i, i%40), Addresses: []netip.Addr{a}, Tags: []string{"tag:web"}},
			Online: i%3 > 0, LastSeen: &seen, Protocol: "wireguard", Path: [...]string{local.PathDirect, local.PathRelay, local.PathIdle}[i%3], Relay: "fra-1", RxBytes: uint64(i)}
	}
	s.Networks[0].Peers = peers
	return s
}

func (s *stage) bustle(round int) {
	s.clock = s.clock.Add(time.Second)
	for i := range s.twin.status.Networks[0].Peers {
		if p := &s.twin.status.Networks[0].Peers[i]; i%10 == round%10 {
			p.RxBytes += uint64(i) << 10
		}
	}
}

// TestFigureOfAnUpdate measures what a key, a letter of a filter and a new state cost with 10,000 peers on a terminal of 200 by 50, each with
// drawing. The longest of them is what matters to the eye.
func TestFigureOfAnUpdate(t *testing.T) {
	s := newStage(200, 50, false)
	s.twin.status = city(10000)
	s.hear()
	s.screen()
	s.press("s", "s", "s") // by traffic, the order that changes most
	worst := map[string]time.Duration{}
	note := func(what string, do func()) {
		best := time.Hour
		for range 20 {
			began := time.Now()
			do()
			s.View()
			best = min(best, time.Since(began))
		}
		worst[what] = best
	}
	round := 0
	note("news", func() {
		round++
		s.bustle(round)
		s.Model.hear(news{s.twin.status, nil, s.clock, false})
	})
	note("key", func() { s.press("down") })
	note("page", func() { s.press("pgdown") })
	note("wheel", func() { s.send(tea.MouseWheelMsg{Button: tea.MouseWheelDown}) })
	s.press("/", "floor-")
	note("letter of a filter", func() { s.press("3") })
	s.press("esc")
	note("sort", func() { s.press("S") })
	note("tick", func() { s.second() })
	var most time.Duration
	for what, d := range worst {
		most = max(most, d)
		t.Logf("%s: %v", what, d)
	}
	fmt.Printf("FIGURE tui_update_ms_10000 %.2f ms\n", float64(most)/1e6)
}
