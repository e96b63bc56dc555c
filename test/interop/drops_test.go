//go:build interop && linux

package interop

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"time"
)

// drops asks a side of our own what it has dropped, by reason. The wg tool has no word for that.
func (w *world) drops(s *side) map[string]uint64 {
	w.t.Helper()
	c, err := net.Dial("unix", s.host.Path("/run/wireguard/"+link+".sock"))
	w.must(err)
	defer c.Close()
	c.SetDeadline(time.Now().Add(soon))
	_, err = fmt.Fprint(c, "drops=1\n\n")
	w.must(err)
	all := map[string]uint64{}
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		reason, count, _ := strings.Cut(lines.Text(), "=")
		if reason == "errno" {
			return all
		}
		var n uint64
		_, err := fmt.Sscan(count, &n)
		w.must(err)
		all[reason] = n
	}
	w.t.Fatal("our side does not tell what it has dropped")
	return nil
}
