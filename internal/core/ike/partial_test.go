package ike

import (
	"testing"
	"time"
)

// Each side says of each Child SA whether packets with partial checksums may come by it, and learns it of the other.
func TestEachSideSaysWhetherItTakesPartialChecksums(t *testing.T) {
	for _, takes := range [][2]bool{{false, false}, {true, false}, {false, true}, {true, true}} {
		for asks := range 2 {
			w := met(t, uint64(asks), func(n int, c *Config, _ *Peer) { c.TakesPartial = func() bool { return takes[n] } })
			check := func(what string) {
				t.Helper()
				w.run(time.Second)
				w.agree(1)
				for n, s := range w.side {
					for _, c := range s.live {
						if c.MayBePartial != takes[n] || c.TakesPartial != takes[1-n] {
							t.Errorf("%s, %v: %s may get them: %v, and may send them: %v", what, takes, s.name, c.MayBePartial, c.TakesPartial)
						}
					}
				}
			}
			check("the first")
			w.side[asks].rekeyChild()
			check("its successor")
			takes[asks] = !takes[asks] // its owner has changed his mind
			w.side[1-asks].rekeyChild()
			check("the next")
			takes[asks] = !takes[asks]
		}
	}
}
