// Package world runs the whole product in one testing/synctest bubble: a controller, relays and nodes on an in-memory network, in
// virtual time, with their real databases and state folders on disk. Only what touches an operating system's network is replaced by
// its in-memory twin: sockets, TUN devices and routes.
//
// A story is told with World's verbs. A week costs seconds; what happens on the network is drawn from the seed that the test names.
package world

import (
	"context"
	"log/slog"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/sim/netsim"
	"github.com/cvlan/cvlan/internal/sys/sock"
)

// calendar is what clocks show when a bubble begins. The bubble's own clock begins in 2000, before this program was built.
var calendar = time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC)

// Addresses: the controller, and nodes from base on.
var (
	controllerAddr = netip.MustParseAddr("198.18.0.1")
	nodeBase       = netip.MustParseAddr("198.18.1.0")
)

const controllerPort = 8443

// World is a network with a controller and nodes.
type World struct {
	T          *testing.T
	Net        *netsim.Net
	Controller *Controller

	begin   time.Time
	udp     *sock.Network // between tunnels
	relays  []*Relay
	nodes   []*Node
	routers int // made so far
	log     *slog.Logger
}

// Tell runs a story in a world of its own, with its controller already running, and stops everything at the end.
func Tell(t *testing.T, seed uint64, story func(w *World)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := &World{T: t, Net: netsim.New(seed), begin: time.Now(), log: slog.New(slog.DiscardHandler)}
		if os.Getenv("CVLAN_SIM_LOG") != "" {
			w.log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: w.stamp}))
		}
		w.Net.Weather(netsim.Conditions{Latency: 5 * time.Millisecond})
		w.udp = sock.NewNetwork(w.carry)
		w.udp.Through(w.Net)
		w.Controller = &Controller{w: w, dir: dir + "/controller"}
		w.Controller.Start()
		defer func() {
			for _, n := range w.nodes {
				n.Stop()
			}
			for _, r := range w.relays {
				r.Stop()
			}
			w.Controller.Stop()
		}()
		story(w)
	})
}

// stamp shows the story's calendar in logs.
func (w *World) stamp(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		a.Value = slog.StringValue(w.Now().Format("01-02 15:04:05.000"))
	}
	return a
}

// Now is what a right clock shows.
func (w *World) Now() time.Time { return calendar.Add(time.Since(w.begin)) }

// Sleep lets time pass.
func (w *World) Sleep(d time.Duration) { time.Sleep(d) }

// Until waits for a condition, looking every 10 ms, and fails the story if it does not come true within limit.
func (w *World) Until(limit time.Duration, what string, ok func() bool) {
	w.T.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			w.T.Fatalf("%s: not within %v", what, limit)
		}
	}
}

// carry says when a datagram's copies arrive.
func (w *World) carry(from, to netip.AddrPort) []time.Duration {
	return w.Net.Delay(from.Addr(), to.Addr())
}

// Background returns the context of the story.
func (w *World) Background() context.Context { return w.T.Context() }
