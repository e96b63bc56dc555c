package ipsec

import (
	"errors"

	"github.com/cvlan/cvlan/internal/sys/osnet"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/xfrm"
)

// Backend is the system's own Kernel, on the port of a tunnel's sockets.
type Backend struct {
	*xfrm.Device
	detour *sock.Detour
}

// longestName is what Linux takes for an interface.
const longestName = 15

// OpenKernel opens it for a tunnel with a TUN device of this name and MTU. Whatever a process that was killed has left for the same name goes.
func OpenKernel(tun string, mtu int, sockets []sock.Socket) (*Backend, error) {
	device, err := xfrm.Open(xfrm.Config{Name: InterfaceOf(tun), MTU: mtu, Protocol: osnet.OwnProtocol})
	if err != nil {
		return nil, err
	}
	detour, err := sock.OpenDetour(sockets)
	if err != nil {
		return nil, errors.Join(err, device.Close())
	}
	return &Backend{device, detour}, nil
}

// InterfaceOf is the kernel's interface beside a TUN device.
func InterfaceOf(tun string) string { return tun[:min(len(tun), longestName-1)] + "x" }

// SweepKernel removes what a process that was killed has left beside a TUN device.
func SweepKernel(tun string) error {
	if tun == "" {
		return nil
	}
	return xfrm.Sweep(InterfaceOf(tun))
}

// ProbeKernel says why the system's Kernel cannot be used; nil: it can.
func ProbeKernel() error {
	d, err := xfrm.Open(xfrm.Config{Name: "cvlan-probe", MTU: 1280})
	if err != nil {
		return err
	}
	return d.Close()
}

// Take implements Kernel.
func (b *Backend) Take(all []sock.Taking) error { return b.detour.Take(all) }

// Close removes everything. It comes after the tunnel's end.
func (b *Backend) Close() error { return errors.Join(b.detour.Close(), b.Device.Close()) }
