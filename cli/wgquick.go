package cli

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/key"
)

const (
	// plainMTU is what nodes give their own interfaces, in bytes.
	plainMTU = 1380
	// plainKeepalive keeps the way to a device open that only calls, in seconds.
	plainKeepalive = 25
)

// wgQuick is the configuration of a plain peer, as wg-quick and the apps read it. Nothing that the controller says reaches the text as it
// came: keys, addresses and names are read and written anew, because a line of such a file may run a program.
type wgQuick struct {
	peer      admin.PeerDetail
	private   key.WGPrivate // zero: it is on the device already
	preshared key.Preshared // zero: none
}

// caveats are the nodes that a device will perhaps not reach with its configuration.
type caveats struct {
	unknown []string // nobody knows where they are
	near    []string // they have private addresses only
}

// text writes the file; bare leaves out what is for people.
func (q wgQuick) text(bare bool) (text string, c caveats, err error) {
	var b strings.Builder
	if !bare {
		fmt.Fprintf(&b, "# %s in %s: a plain WireGuard peer.\n", label(q.peer.Name), label(q.peer.NetworkName))
	}
	b.WriteString("[Interface]\n")
	switch {
	case !q.private.IsZero():
		fmt.Fprintf(&b, "PrivateKey = %s\n", base64.StdEncoding.EncodeToString(q.private.Bytes()))
	case !bare:
		b.WriteString("# PrivateKey = the one that the device has already\n")
	}
	fmt.Fprintf(&b, "Address = %s\nMTU = %d\n", hosts(q.peer.Addresses), plainMTU)
	if q.peer.Endpoint.IsValid() {
		fmt.Fprintf(&b, "ListenPort = %d\n", q.peer.Endpoint.Port())
	}
	for _, e := range q.peer.Ends {
		if err := q.end(&b, e, bare); err != nil {
			return "", c, err
		}
		switch where, near := reach(e); {
		case !where.IsValid():
			c.unknown = append(c.unknown, label(e.Name))
		case near:
			c.near = append(c.near, label(e.Name))
		}
	}
	return b.String(), c, nil
}

// end writes the section of one node.
func (q wgQuick) end(b *strings.Builder, e admin.PeerEnd, bare bool) error {
	var public key.WGPublic
	if err := public.UnmarshalText([]byte(e.Key)); err != nil {
		return fmt.Errorf("the controller's answer for node %s: %w", label(e.Name), err)
	}
	b.WriteString("\n")
	if !bare {
		fmt.Fprintf(b, "# %s\n", label(e.Name))
	}
	fmt.Fprintf(b, "[Peer]\nPublicKey = %s\n", public)
	if !q.preshared.IsZero() {
		fmt.Fprintf(b, "PresharedKey = %s\n", q.preshared.Text())
	}
	fmt.Fprintf(b, "AllowedIPs = %s\n", hosts(e.Addresses))
	where, near := reach(e)
	switch {
	case !where.IsValid() && !bare:
		fmt.Fprintf(b, "# It is not known where %[1]s can be reached. Write its address and UDP port here; on %[1]s, cvlan status shows the port.\n# Endpoint = ADDRESS:PORT\n", label(e.Name))
	case where.IsValid():
		if near && !bare {
			b.WriteString("# A private address: it serves in the node's own site and where routes lead there.\n")
		}
		fmt.Fprintf(b, "Endpoint = %s\n", where)
	}
	if !q.peer.Endpoint.IsValid() {
		fmt.Fprintf(b, "PersistentKeepalive = %d\n", plainKeepalive)
	}
	return nil
}

// hosts writes addresses, each alone; those with a zone are none that a network gives.
func hosts(all []netip.Addr) string {
	var text []string
	for _, a := range all {
		if a.IsValid() && a.Zone() == "" {
			text = append(text, a.String()+"/"+strconv.Itoa(a.BitLen()))
		}
	}
	return strings.Join(text, ", ")
}

// label is a name if it is one: what else the controller calls a name stays out of the file.
func label(name string) string {
	if clean.IsLabel(name) {
		return name
	}
	return "a node without a name"
}

// reach returns where a device most likely reaches a node, by what the node reports: public addresses before private ones, IPv4 before
// IPv6. near: the address is a private one. It is invalid if none is known.
func reach(e admin.PeerEnd) (where netip.AddrPort, near bool) {
	best := slices.MinFunc(append(slices.Clone(e.Endpoints), netip.AddrPort{}), func(a, b netip.AddrPort) int { return cmp.Compare(distance(a), distance(b)) })
	if distance(best) == nowhere {
		return netip.AddrPort{}, false
	}
	return best, distance(best) >= private
}

// How likely an address is to be reached from elsewhere, the most likely first.
const (
	public4 = iota
	public6
	private
	private6
	nowhere
)

// sharedSpace is that of carriers' NATs (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

func distance(e netip.AddrPort) int {
	a := e.Addr().Unmap()
	switch {
	case !a.IsGlobalUnicast() || a.Zone() != "" || e.Port() == 0:
		return nowhere
	case a.Is4() && (a.IsPrivate() || sharedSpace.Contains(a)):
		return private
	case a.Is4():
		return public4
	case a.IsPrivate():
		return private6
	default:
		return public6
	}
}
