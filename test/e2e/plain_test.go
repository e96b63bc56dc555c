//go:build e2e && linux

package e2e

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun"

	"github.com/cvlan/cvlan/internal/lab"
)

// plainDevice is wireguard-go on a host, set up by a wg-quick file.
type plainDevice struct {
	*device.Device
	addr netip.Addr // inside, IPv4
}

func (d *plainDevice) close() { d.Close() }

// hostBind opens the device's sockets on a host. The device opens them again, from a goroutine of its own, when its interface has gone
// down and up.
type hostBind struct {
	conn.Bind
	h *lab.Host
}

func (b hostBind) Open(port uint16) (all []conn.ReceiveFunc, actual uint16, err error) {
	err = b.h.Do(func() (err error) { all, actual, err = b.Bind.Open(port); return err })
	return all, actual, err
}

// plain does on a host what wg-quick does with a file.
func (w *world) plain(h *lab.Host, path string) *plainDevice {
	w.t.Helper()
	text, addrs, routes := w.readConf(path)
	d := &plainDevice{addr: addrs[0].Addr()}
	w.must(h.Do(func() error {
		t, err := tun.CreateTUN("wg0", 1380)
		if err != nil {
			return err
		}
		d.Device = device.NewDevice(t, hostBind{conn.NewStdNetBind(), h}, &device.Logger{Verbosef: device.DiscardLogf, Errorf: device.DiscardLogf})
		if err := d.IpcSet(text); err != nil {
			return err
		}
		if err := d.Up(); err != nil {
			return err
		}
		l, err := netlink.LinkByName("wg0")
		if err != nil {
			return err
		}
		for _, a := range addrs {
			if err := netlink.AddrAdd(l, &netlink.Addr{IPNet: prefix(a)}); err != nil {
				return err
			}
		}
		if err := netlink.LinkSetUp(l); err != nil {
			return err
		}
		for _, r := range routes {
			if err := netlink.RouteReplace(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: prefix(r)}); err != nil {
				return err
			}
		}
		return nil
	}))
	return d
}

// readConf translates a wg-quick file into the configuration protocol's words, addresses and routes.
func (w *world) readConf(path string) (text string, addrs, routes []netip.Prefix) {
	w.t.Helper()
	f, err := os.Open(path)
	w.must(err)
	defer f.Close()
	var b strings.Builder
	for s := bufio.NewScanner(f); s.Scan(); {
		name, value, ok := strings.Cut(s.Text(), " = ")
		if !ok {
			continue
		}
		switch name {
		case "PrivateKey", "PublicKey", "PresharedKey":
			key, err := base64.StdEncoding.DecodeString(value)
			w.must(err)
			word := map[string]string{"PrivateKey": "private_key", "PublicKey": "public_key", "PresharedKey": "preshared_key"}[name]
			fmt.Fprintf(&b, "%s=%s\n", word, hex.EncodeToString(key))
		case "Endpoint":
			fmt.Fprintf(&b, "endpoint=%s\n", value)
		case "PersistentKeepalive":
			fmt.Fprintf(&b, "persistent_keepalive_interval=%s\n", value)
		case "Address", "AllowedIPs":
			for one := range strings.SplitSeq(value, ", ") {
				p, err := netip.ParsePrefix(one)
				w.must(err)
				if name == "Address" {
					addrs = append(addrs, p)
				} else {
					routes = append(routes, p)
					fmt.Fprintf(&b, "allowed_ip=%s\n", p)
				}
			}
		}
	}
	return b.String(), addrs, routes
}

func prefix(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
