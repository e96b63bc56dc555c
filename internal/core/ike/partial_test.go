package ike

import (
	"testing"
	"time"
)

// Who asks for a Child SA says whether packets with partial checksums may come by it, and who is told so says it as well.
func TestEachSideSaysWhetherItTakesPartialChecksums(t *testing.T) {
	for _, takes := range [][2]bool{{false, false}, {true, false}, {false, true}, {true, true}} {
		for asks := range 2 {
			w := met(t, uint64(asks), func(n int, c *Config, _ *Peer) { c.TakesPartial = func() bool { return takes[n] } })
			check := func(what string, asked int) {
				t.Helper()
				w.run(time.Second)
				w.agree(1)
				says := takes
				says[1-asked] = takes[0] && takes[1]
				for n, s := range w.side {
					for _, c := range s.live {
						if c.MayBePartial != says[n] || c.TakesPartial != says[1-n] {
							t.Errorf("%s, %v: %s may get them: %v, and may send them: %v", what, takes, s.name, c.MayBePartial, c.TakesPartial)
						}
					}
				}
			}
			check("the first", 0)
			w.side[asks].rekeyChild()
			check("its successor", asks)
			takes[asks] = !takes[asks] // its owner has changed his mind
			w.side[1-asks].rekeyChild()
			check("the next", 1-asks)
			takes[asks] = !takes[asks]
		}
	}
}
