package duel

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/deploy"
)

const (
	stockPort = 51820
	stockLink = "wgs0"
)

// StartStock starts wireguard-go on two hosts.
func StartStock(ctx context.Context, a, b *lab.Host, set deploy.Set) (*Pair, error) {
	keys := [2]key.WGPrivate{key.NewWGPrivate(), key.NewWGPrivate()}
	hosts := [2]*lab.Host{a, b}
	p := &Pair{Name: "stock", A: a, B: b, To: netip.MustParseAddr("10.255.0.2"), Key: keys[0].Public(), Port: stockPort, set: set}
	for i, h := range hosts {
		proc := h.Start(set.Path("tools/wireguard-go"), "-f", stockLink)
		p.PIDs[i] = proc.PID()
		peer := keys[1-i].Public()
		text := fmt.Sprintf("set=1\nprivate_key=%s\nlisten_port=%d\npublic_key=%x\nendpoint=%s:%d\nallowed_ip=10.255.0.%d/32\n\n",
			keys[i].Hex(), stockPort, peer[:], hosts[1-i].Addr(), stockPort, 2-i)
		if err := configure(ctx, h.Path("/run/wireguard/"+stockLink+".sock"), text); err != nil {
			return nil, fmt.Errorf("configure wireguard-go on %s: %w; its output:\n%s", h.Name(), err, proc.Log())
		}
		if err := h.Do(func() error { return raise(fmt.Sprintf("10.255.0.%d/24", 1+i)) }); err != nil {
			return nil, fmt.Errorf("raise %s on %s: %w", stockLink, h.Name(), err)
		}
	}
	return p, nil
}

// configure speaks wireguard-go's configuration protocol; the socket appears a moment after the start.
func configure(ctx context.Context, socket, text string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", socket)
	for err != nil && ctx.Err() == nil {
		time.Sleep(20 * time.Millisecond)
		c, err = d.DialContext(ctx, "unix", socket)
	}
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte(text)); err != nil {
		return err
	}
	answer, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || answer != "errno=0\n" {
		return fmt.Errorf("answered %q: %w", answer, err)
	}
	return nil
}

func raise(addr string) error {
	link, err := netlink.LinkByName(stockLink)
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(addr)
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(link, a); err != nil {
		return err
	}
	if err := netlink.LinkSetMTU(link, MTU); err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}
