package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

func newWG(env *Env) *cobra.Command {
	return nouns("wg", "Look into the WireGuard tunnels", "wg looks into the WireGuard tunnels of this machine.",
		"  sudo cvlan wg show\n  sudo cvlan wg show --network office --json", newWGShow(env))
}

type wgShowOptions struct{ talk }

func newWGShow(env *Env) *cobra.Command {
	o := &wgShowOptions{talk{Env: env}}
	c := &cobra.Command{
		Use:   "show",
		Short: "Show peers, handshakes, keys' ages, bytes and drops",
		Long: "show prints each tunnel with its peers: where they are reached, when they shook hands, how old the keys in use are, what went " +
			"through, and what was dropped, by reason. It needs the rights of an operator.",
		Example: "  sudo cvlan wg show\n  sudo cvlan wg show --template '{{range .networks}}{{range .peers}}{{.name}} {{.endpoint}}{{\"\\n\"}}{{end}}{{end}}'",
		Args:    takes(),
		RunE:    o.asks(func(ctx context.Context, _ []string) error { return o.show(ctx) }),
	}
	o.networkFlag(c, "only this network, by name or identifier")
	o.flags(c, 10*time.Second, "networks.peers.name")
	return c
}

func (o *wgShowOptions) show(ctx context.Context) error {
	w, err := o.client.WireGuard(ctx)
	if err != nil {
		return err
	}
	if o.network != "" {
		w.Networks = slices.DeleteFunc(w.Networks, func(n local.WGNetwork) bool { return n.Name != o.network && n.ID != o.network })
		if len(w.Networks) == 0 {
			return &iox.Error{Exit: iox.NotFound, What: "show " + o.network, Why: "no network of that name is up on this machine",
				Hint: "see which there are: cvlan status"}
		}
	}
	return o.out.Write(o.IO, w, func() { o.print(w) })
}

func (o *wgShowOptions) print(w local.WireGuard) {
	if len(w.Networks) == 0 {
		o.IO.Printf("No network is up on this machine; see why: cvlan status")
		return
	}
	for i, n := range w.Networks {
		if i > 0 {
			o.IO.Printf("")
		}
		o.printTunnel(n)
		for _, p := range n.Peers {
			o.IO.Printf("")
			o.printPeer(p)
		}
	}
}

func (o *wgShowOptions) printTunnel(n local.WGNetwork) {
	head := iox.Table{}
	head.Row(iox.Cell(iox.Bold, n.Name), n.Interface)
	head.Print(o.IO)
	t := iox.Table{Indent: "  "}
	t.Row("public key", n.Key)
	t.Row("listens on", fmt.Sprintf("UDP port %d, MTU %d, %s", n.Port, n.MTU, offloads(n)))
	t.Row("memory", fmt.Sprintf("%s for packets, socket buffers %s in, %s out", iox.Bytes(uint64(n.Memory)), iox.Bytes(uint64(n.Socket.ReceiveBuffer)), iox.Bytes(uint64(n.Socket.SendBuffer))))
	t.Row("dropped", drops(n.Drops))
	t.Print(o.IO)
}

// offloads says in words which of the kernel's shortcuts are in use.
func offloads(n local.WGNetwork) string {
	s := "no offloads"
	switch {
	case n.Socket.SendGSO && n.Socket.ReceiveGRO:
		s = "offloads on"
	case n.Socket.SendGSO:
		s = "offload for sending only"
	case n.Socket.ReceiveGRO:
		s = "offload for receiving only"
	}
	if n.Workers > 1 {
		s += ", " + strconv.Itoa(n.Workers) + " workers a direction"
	}
	return s
}

func (o *wgShowOptions) printPeer(p local.WGPeer) {
	head := iox.Table{Indent: "  "}
	head.Row(iox.Cell(iox.Bold, p.Name), p.Key)
	head.Print(o.IO)
	now := o.Now()
	t := iox.Table{Indent: "    "}
	t.Row("endpoint", endpoint(p.Endpoint))
	var allowed []string
	for _, a := range p.AllowedIPs {
		allowed = append(allowed, a.String())
	}
	t.Row("addresses", strings.Join(allowed, " "))
	t.Row("handshake", handshake(now, p))
	t.Row("received", iox.Bytes(p.RxBytes)+" in "+count(p.RxPackets, "packet"))
	t.Row("sent", iox.Bytes(p.TxBytes)+" in "+count(p.TxPackets, "packet"))
	if p.KeepaliveS > 0 {
		t.Row("keepalive", fmt.Sprintf("every %ds", p.KeepaliveS))
	}
	if p.Preshared {
		t.Row("preshared key", "yes")
	}
	if p.Waiting > 0 {
		t.Row("waiting", count(p.Waiting, "packet")+" for a handshake")
	}
	if len(p.Drops) > 0 {
		t.Row("dropped", drops(p.Drops))
	}
	t.Print(o.IO)
}

func handshake(now time.Time, p local.WGPeer) string {
	s := "never"
	if p.LatestHandshake != nil {
		s = iox.Ago(now, *p.LatestHandshake)
	}
	if p.KeysSince != nil {
		s += ", keys are " + iox.Span(now.Sub(*p.KeysSince).Truncate(time.Second)) + " old"
	}
	if p.Handshaking {
		s += ", another is under way"
	}
	return s
}

// drops lists reasons, the most frequent first.
func drops(m map[string]uint64) string {
	reasons := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		if m[a] != m[b] {
			return int(min(m[b], 1<<62)) - int(min(m[a], 1<<62))
		}
		return strings.Compare(a, b)
	})
	for i, r := range reasons {
		reasons[i] = fmt.Sprintf("%s %d", r, m[r])
	}
	if len(reasons) == 0 {
		return "nothing"
	}
	return strings.Join(reasons, ", ")
}
