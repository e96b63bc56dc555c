//go:build interop && linux

package ipsec

import (
	"testing"
	"time"
)

// Routers that translate addresses, before either of both, or two before one.
func TestBehindRoutersThatTranslate(t *testing.T) {
	for _, c := range []struct {
		name string
		place
	}{
		{"we", place{ours: "port"}},
		{"we, and every destination sees another port", place{ours: "sym"}},
		{"we, twice", place{ours: "port port"}},
		{"they", place{theirs: "port"}},
		{"they, twice", place{theirs: "port port"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := modern
			v.place = c.place
			meet(t, v, func(w *world) {
				if c.theirs != "" {
					w.theirs.does("--initiate", "--child", "c", "--timeout", "10")
				}
				w.reach()
				w.ping(50, 5*time.Millisecond)
				w.theirs.does("--rekey", "--ike", "t") // in the other direction too
				w.until("they find the Child SA, which moves to the new IKE SA", func() bool {
					_, err := w.theirs.ctl("--rekey", "--child", "c")
					return err == nil
				})
				w.ping(50, 5*time.Millisecond)
			})
		})
	}
}

func TestOverIPv6(t *testing.T) {
	for _, first := range []string{"we", "they"} {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			v := modern
			v.six = true
			meet(t, v, func(w *world) {
				if first == "they" {
					w.theirs.does("--initiate", "--child", "c", "--timeout", "10")
				}
				w.reach()
				w.ping(50, 5*time.Millisecond)
			})
		})
	}
}

// Messages with certificates go in pieces of a few hundred bytes both ways.
func TestMessagesGoInFragments(t *testing.T) {
	for _, outside := range []string{"v4", "v6"} {
		for _, first := range []string{"we", "they"} {
			t.Run(outside+"/"+first, func(t *testing.T) {
				t.Parallel()
				v := modern
				v.kind, v.six, v.charon, v.node = "rsa-2048", outside == "v6", "fragment_size = 640", []string{"-fragment", "600"}
				meet(t, v, func(w *world) {
					if first == "they" {
						w.theirs.does("--initiate", "--child", "c", "--timeout", "10")
					}
					w.reach()
					w.ping(20, 5*time.Millisecond)
					if !w.theirs.says("received fragment #2 of 3") || !w.theirs.says("EF(2/3)") {
						t.Error("there were no fragments")
					}
				})
			})
		}
	}
}
