package ipsec_test

import (
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/cvlan/cvlan/internal/core/esp"
	"github.com/cvlan/cvlan/internal/lab/toyike"
	"github.com/cvlan/cvlan/internal/node/ipsec"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/node/tunnel/tunneltest"
)

// Nothing that a tunnel starts outlives it; a bubble sees to that by itself.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const rtt = tunneltest.RTT

// world is a network with two ends on it, inside a bubble.
type world struct {
	*testing.T
	*tunneltest.Links
	a, b *end
}

// inWorld tells a story of two ends that know each other and make pairs by k.
func inWorld(t *testing.T, k esp.Keys, story func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, Links: tunneltest.NewLinks(1)}
		w.a, w.b = w.end(1, k), w.end(2, k)
		defer func() {
			w.a.Close()
			w.b.Close()
		}()
		w.a.Knows(w.b.End)
		w.b.Knows(w.a.End)
		story(w)
	})
}

// end is one end of the tunnel.
type end struct {
	*tunneltest.End
	w     *world
	keys  esp.Keys
	keyer *toyike.Keyer
}

func (w *world) end(n byte, k esp.Keys) *end {
	e := &end{End: tunneltest.NewEnd(w, n), w: w, keys: k}
	e.boot()
	return e
}

// boot starts the end, or starts it anew without peers.
func (e *end) boot() {
	var build ipsec.BuildKeyer
	e.keyer, build = toyike.New(toyike.Config{Self: e.Name(), Secret: []byte("known to both"), Keys: e.keys})
	e.Start(e.w.Links, map[tunnel.Class]tunnel.Build{tunnel.IKE: ipsec.New(ipsec.Config{Keyer: build})})
}

// gcm is what most stories use.
func gcm() esp.Keys { return esp.Keys{Suite: esp.AES256GCM, ESN: true} }
