package daemon

import (
	"errors"
	"fmt"

	"github.com/cvlan/cvlan/internal/node/engine"
	"github.com/cvlan/cvlan/internal/node/ipsec"
	"github.com/cvlan/cvlan/internal/node/relays"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/portmap"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

// DefaultWorkers is how many pairs of goroutines carry a network's packets.
const DefaultWorkers = 1

// openTUN makes TUN devices with a queue for each worker.
func openTUN(workers int) func(name string, mtu int) (tun.Device, error) {
	return func(name string, mtu int) (tun.Device, error) {
		return tun.Open(tun.Config{Name: name, MTU: mtu, Queues: max(workers, DefaultWorkers)})
	}
}

// openTunnel makes tunnels that share one budget.
func openTunnel(budget *tunnel.Budget) func(engine.TunnelConfig) (engine.Tunnel, error) {
	return func(c engine.TunnelConfig) (engine.Tunnel, error) {
		sockets, err := openSockets(c.Port, len(c.TUN.Queues()))
		if err != nil {
			c.TUN.Close()
			return nil, fmt.Errorf("start the tunnel: %w", err)
		}
		n := len(sockets)
		h := engine.Helpers{
			Ferry: relays.New(relays.Config{Credentials: c.Credentials, Log: c.Log}), Gateways: []portmap.Host{portmap.System{}, portmap.System{IPv6: true}},
			Sockets: func(port uint16) ([]sock.Socket, error) { return openSockets(port, n) },
			Kernel:  openKernel,
		}
		protocols, err := engine.Protocols(c)
		if err != nil {
			c.TUN.Close()
			return nil, errors.Join(err, closeAll(sockets))
		}
		return engine.Guided(c, tunnel.Config{
			Self: c.Private.Public(), TUN: c.TUN, Sockets: sockets, Budget: budget, PathMTU: sock.PathMTU, Log: c.Log,
			Spare:      func() (sock.Socket, error) { return sock.Open(sock.Config{Alone: true}) },
			Transports: protocols,
		}, h)
	}
}

// openKernel opens the kernel's ESP for a tunnel.
func openKernel(device string, mtu int, sockets []sock.Socket) (engine.Kernel, error) {
	k, err := ipsec.OpenKernel(device, mtu, sockets)
	if err != nil {
		return nil, err // not a Kernel that is no pointer
	}
	return k, nil
}

func closeAll(sockets []sock.Socket) (err error) {
	for _, s := range sockets {
		err = errors.Join(err, s.Close())
	}
	return err
}

// openSockets opens n sockets on one port: the one that is asked for, else the usual one if it is free, else any.
func openSockets(port uint16, n int) ([]sock.Socket, error) {
	if port == 0 {
		all, err := sock.OpenGroup(sock.Config{Port: sock.DefaultPort}, n)
		if err == nil || !errors.Is(err, sock.ErrPortTaken) {
			return all, err
		}
	}
	return sock.OpenGroup(sock.Config{Port: port}, n)
}
