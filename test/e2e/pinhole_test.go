//go:build e2e && linux

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// A home whose router filters IPv6 and translates IPv4: the node has both opened, and says so.
func TestARouterIsAskedInBothFamilies(t *testing.T) {
	w := begin(t)
	c := w.controller(w.lab.Public("ctl"))
	n := w.node(w.lab.Site("home", "port+v6+pm").Host("laptop"))
	n.join(c.key())
	w.eventually(soon, "the router opens in both families", func() error {
		if opened := strings.Count(n.Proc.Log(), "the gateway maps a port to us"); opened != 2 {
			return fmt.Errorf("it opened %d ports", opened)
		}
		return nil
	})
	if said := n.types("netcheck"); !strings.Contains(said, "lets others in over IPv6 on request (PCP)") {
		t.Errorf("netcheck says:\n%s", said)
	}
}
