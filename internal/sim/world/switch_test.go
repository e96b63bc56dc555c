package world

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

// talking has both send each other echoes, one after another, until the function is called that it returns. Each that does not come back fails the
// story, with what was going on.
func (w *World) talking(a, b *Node, what *string) (stop func()) {
	ended, left := make(chan struct{}), make(chan struct{}, 2)
	for _, n := range [][2]*Node{{a, b}, {b, a}} {
		go func() {
			defer func() { left <- struct{}{} }()
			for {
				select {
				case <-ended:
					return
				case <-time.After(7 * time.Millisecond):
				}
				if err := n[0].Ping(n[1].Name); err != nil {
					w.T.Errorf("%s at %v: %v", *what, w.Now().Format("15:04:05.000"), err)
				}
			}
		}()
	}
	return func() {
		close(ended)
		<-left
		<-left
	}
}

// wish draws some settings that may change while a network is up. The port is left alone on request.
func wish(r *rand.Rand, port bool) map[string]string {
	all := map[string][]string{
		"protocol":  {"ipsec", "wireguard", local.DefaultValue},
		"mtu":       {"1280", "1400", local.DefaultValue},
		"port":      {strconv.Itoa(50000 + r.IntN(1000)), local.DefaultValue},
		"transport": {"tcp", "quic", local.DefaultValue},
	}
	values := map[string]string{}
	for _, key := range []string{"protocol", "mtu", "port", "transport"} {
		if r.IntN(2) == 0 && (port || key != "port") {
			values[key] = all[key][r.IntN(len(all[key]))]
		}
	}
	if len(values) == 0 {
		values["protocol"] = all["protocol"][r.IntN(3)]
	}
	return values
}

// Two that talk change whatever can be changed while a network is up, one of them or both at once, directly, through NATs and through a relay. Not one
// echo is lost. Through a relay the port stays: what is on its way there while the relay binds another one may be.
func TestNoChangeOfSettingsLosesAnEcho(t *testing.T) {
	seeds := 12
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		Tell(t, 500+uint64(seed), func(w *World) {
			a, b := w.places(seed % 3)
			a.Reaches(10*time.Second, "b")
			w.Sleep(10 * time.Second) // the way is found
			r, what := rand.New(rand.NewPCG(uint64(seed), 0)), "at first"
			stop := w.talking(a, b, &what)
			for range 10 {
				one, other := wish(r, seed%3 < 2), wish(r, seed%3 < 2)
				who := r.IntN(3)
				what = fmt.Sprintf("seed %d: a sets %v, b sets %v, by %d", seed, one, other, who)
				if who != 1 {
					a.Sets(one)
				}
				w.Sleep(time.Duration(r.IntN(20)) * time.Millisecond)
				if who != 0 {
					b.Sets(other)
				}
				w.Sleep(time.Duration(200+r.IntN(3000)) * time.Millisecond)
			}
			stop()
		})
	}
}

// places puts two nodes side by side, behind NATs that can be opened, or behind such that cannot.
func (w *World) places(kind int) (a, b *Node) {
	w.T.Helper()
	w.Relay("eu")
	key := w.Controller.Key(w.Controller.Network("office", true), nil)
	switch kind {
	case 0:
		a, b = w.Node("a"), w.Node("b")
	case 1:
		a, b = w.NodeBehind(w.Router("port"), "a"), w.NodeBehind(w.Router("port"), "b")
	case 2:
		a, b = w.NodeBehind(w.Router("sym"), "a"), w.NodeBehind(w.Router("sym"), "b")
	}
	a.Join(key)
	b.Join(key)
	return a, b
}
