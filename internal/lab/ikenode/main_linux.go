// Command ikenode is a node of one tunnel to one peer that speaks IKEv2 and ESP, set up by hand: for laboratories with other people's
// implementations. It says "ready" when it is, and prints on SIGUSR1 what it knows of the peer.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/core/esp"
	core "github.com/cvlan/cvlan/internal/core/ike"
	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
	"github.com/cvlan/cvlan/internal/node/ike"
	"github.com/cvlan/cvlan/internal/node/ipsec"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/osnet"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

type options struct {
	link, self, peer, profile string
	cert, key, ca, crl        string
	proof                     *proof
	at                        netip.AddrPort
	ours, theirs              netip.Prefix
	port                      uint
	soft                      time.Duration
	keys, lend, ask, kernel   bool
	fragment                  int
	proofs                    time.Duration
}

func main() {
	o := options{proof: &proof{}}
	flag.StringVar(&o.link, "link", "ikenode0", "name of the TUN device")
	flag.StringVar(&o.self, "self", "a.lab", "our identity; subject: what our certificate calls us")
	flag.StringVar(&o.peer, "peer", "b.lab", "the peer's identity")
	flag.StringVar(&o.proof.secret, "secret", "", "what both share")
	flag.StringVar(&o.cert, "cert", "", "file of our certificate and of those that lead to it, in place of a secret")
	flag.StringVar(&o.key, "key", "", "file of its key")
	flag.StringVar(&o.ca, "ca", "", "file of the authority that both trust")
	flag.StringVar(&o.crl, "crl", "", "file of a list of certificates that it has revoked; without one in force nobody is believed then")
	flag.BoolVar(&o.kernel, "kernel", false, "have the kernel carry packets")
	flag.BoolVar(&o.lend, "lend", false, "lend the peer its address")
	flag.BoolVar(&o.ask, "ask", false, "ask the peer for our address")
	flag.IntVar(&o.fragment, "fragment", 0, "size of the largest message that is sent whole")
	flag.DurationVar(&o.proofs, "proofs", 0, "how long the peer's proof holds")
	flag.StringVar(&o.profile, "profile", crypt.NativeClients, "algorithms")
	flag.UintVar(&o.port, "port", 4500, "UDP port")
	flag.DurationVar(&o.soft, "soft", 0, "soft lifetime of Child SAs")
	flag.BoolVar(&o.keys, "keys", false, "print the keys of IKE SAs for Wireshark")
	flag.TextVar(&o.at, "at", netip.AddrPort{}, "where the peer is")
	flag.Func("ours", "traffic of ours, and the device's address: a prefix", func(s string) (err error) { o.ours, err = netip.ParsePrefix(s); return err })
	flag.Func("theirs", "traffic of the peer: a prefix", func(s string) (err error) { o.theirs, err = netip.ParsePrefix(s); return err })
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "ikenode:", err)
		os.Exit(1)
	}
}

// reach are the host's addresses, without that inside the tunnel.
func (o options) reach() (all []netip.Addr) {
	here, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range here {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().IsGlobalUnicast() && p.Addr() != o.ours.Addr() {
			all = append(all, p.Addr())
		}
	}
	return all
}

// The names of both in the tunnel.
var us, them = key.WGPublic{1}, key.WGPublic{2}

func run(o options) error {
	if err := o.proof.read(o.cert, o.key, o.ca, o.crl); err != nil {
		return err
	}
	profile, err := crypt.NewProfile(o.profile)
	if err != nil {
		return err
	}
	o.proof.store.Signatures = &profile.Signatures
	c := ike.Config{IKE: core.Config{
		Profile: profile, Authorities: o.proof.hashes, Fragment: o.fragment, Reauthenticate: o.proofs, Lender: lender{o.theirs.Addr()},
	}, Peers: o, Life: esp.Life{Soft: esp.Limit{Time: o.soft}}, Reach: o.reach}
	if o.keys {
		c.IKE.KeyLog = func(line string) { fmt.Println(line) }
	}
	device, err := tun.Open(tun.Config{Name: o.link, MTU: tun.MinMTU})
	if err != nil {
		return err
	}
	sockets, err := sock.OpenGroup(sock.Config{Port: uint16(o.port)}, 1)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelDebug}))
	speaks := ipsec.Config{Keyer: ike.New(c), Port: uint16(o.port), Log: log}
	if o.kernel {
		k, err := ipsec.OpenKernel(o.link, tun.MinMTU, sockets)
		if err != nil {
			return err
		}
		defer k.Close()
		speaks.Kernel = k
	}
	t, err := tunnel.New(tunnel.Config{
		Self: us, TUN: device, Sockets: sockets, Log: log, Transports: map[tunnel.Class]tunnel.Build{tunnel.IKE: ipsec.New(speaks)},
	})
	if err != nil {
		return err
	}
	t.SetSources([]netip.Addr{o.ours.Addr()})
	if err := o.raise(); err != nil {
		return err
	}
	if err := t.SetPeer(tunnel.PeerConfig{Key: them, Allowed: []netip.Prefix{o.theirs}, Candidates: []netip.AddrPort{o.at}}); err != nil {
		return err
	}
	fmt.Println("ready")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	changes, err := osnet.New(osnet.Options{}).Changes(ctx)
	if err != nil {
		return err
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	for {
		select {
		case <-asked:
			tell(t)
		case <-changes:
			t.Wake()
		case <-ctx.Done():
			t.RemovePeer(them)
			time.Sleep(100 * time.Millisecond) // for the Delete to leave
			return t.Close()
		case <-t.Done():
			return errors.New("the tunnel has ended")
		}
	}
}

// raise gives the device its address, and the peer's traffic a way to it.
func (o options) raise() error {
	link, err := netlink.LinkByName(o.link)
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(netip.PrefixFrom(o.ours.Addr(), o.ours.Addr().BitLen()).String())
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(link, a); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return err
	}
	to, err := netlink.ParseIPNet(o.theirs.Masked().String())
	if err != nil {
		return err
	}
	return netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: to, Src: a.IP})
}

// Meet implements ike.Directory.
func (o options) Meet(*tunnel.Peer) (core.Peer, error) {
	credential, certs := o.proof.credential()
	var wish []netip.Addr
	if o.ask {
		wish = []netip.Addr{o.ours.Addr()}
	}
	self := identity(o.self)
	if o.self == "subject" {
		var err error
		if self, err = o.proof.subject(); err != nil {
			return core.Peer{}, err
		}
	}
	return core.Peer{
		Ask: wish, Lent: o.lend,
		Local: self, Remote: identity(o.peer), Credential: credential, Certificates: certs, Authorities: o.proof.hashes, Unique: true,
		Child: &core.Child{Ours: []msg.Selector{msg.PrefixSelector(o.ours)}, Theirs: []msg.Selector{msg.PrefixSelector(o.theirs)}},
	}, nil
}

// Who implements ike.Directory.
func (o options) Who(remote, _ msg.Identity) (key.WGPublic, bool) {
	return them, remote.Equal(identity(o.peer))
}

// Evidence implements ike.Directory.
func (o options) Evidence(_ *tunnel.Peer, remote msg.Identity, certs []msg.Cert) (e crypt.Evidence, left time.Duration, err error) {
	e, err = o.proof.evidence(remote, certs)
	return e, 0, err
}

// lender lends the only address that there is.
type lender struct{ addr netip.Addr }

// Lend implements core.Lender.
func (l lender) Lend(core.ID, msg.Identity, []netip.Addr) (core.Inside, error) {
	return core.Inside{Addrs: []netip.Addr{l.addr}}, nil
}

// Return implements core.Lender.
func (lender) Return(core.ID) {}

// identity is an address, or a name.
func identity(name string) msg.Identity {
	if a, err := netip.ParseAddr(name); err == nil {
		return msg.AddrIdentity(a)
	}
	return msg.Identity{Kind: msg.IDFQDN, Data: []byte(name)}
}
