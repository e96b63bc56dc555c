package tun

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/internal/core/offload"
)

// What we tell the kernel that we can take: packets without checksums, and trains. UDP trains exist since Linux 6.2.
const (
	takesTCP = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6
	takesUDP = unix.TUN_F_USO4 | unix.TUN_F_USO6
)

// queueLength is how many packets or trains of the host wait to be read. TCP keeps one or two a connection there and stops by itself; the
// kernel's 500 would drop those of a few hundred connections.
const queueLength = 4096

// native is a TUN device of the kernel. It lives as long as one of its files.
type native struct {
	name    string
	mtu     int
	uso     bool
	files   []*os.File
	queues  []Queue
	closed  atomic.Bool
	refused atomic.Uint64
	skipped atomic.Uint64
}

func start(c Config) (Device, error) {
	n, err := claimAll(c)
	if err != nil {
		return nil, explain(c.Name, err)
	}
	if err = n.set(c); err == nil {
		err = n.attach()
	}
	if err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// claimAll makes the interface with its first queue and attaches the others to it.
func claimAll(c Config) (*native, error) {
	name, more := c.Name, uint16(unix.IFF_TUN_EXCL)
	if name == "" {
		name = firstFree
	}
	if c.Queues > 1 {
		more |= unix.IFF_MULTI_QUEUE
	}
	n := &native{mtu: c.MTU}
	for range c.Queues {
		f, got, err := claim(name, more)
		if err != nil {
			n.Close()
			return nil, err
		}
		n.files = append(n.files, f)
		name, n.name, more = got, got, unix.IFF_MULTI_QUEUE
	}
	return n, nil
}

// set turns the offloads on and gives the link its properties. Offloads are the interface's: one queue sets them for all.
func (n *native) set(c Config) error {
	raw, err := n.files[0].SyscallConn()
	if err != nil {
		return err
	}
	var refusal error
	err = raw.Control(func(fd uintptr) {
		n.uso = !c.NoUSO && unix.IoctlSetInt(int(fd), unix.TUNSETOFFLOAD, takesTCP|takesUDP) == nil
		if !n.uso {
			refusal = unix.IoctlSetInt(int(fd), unix.TUNSETOFFLOAD, takesTCP)
		}
	})
	if err = errors.Join(err, refusal); err != nil {
		return fmt.Errorf("turn segmentation offload on: %w", err)
	}
	link, err := netlink.LinkByName(n.name)
	if err != nil {
		return fmt.Errorf("find %s: %w", n.name, err)
	}
	if err := netlink.LinkSetMTU(link, c.MTU); err != nil {
		return fmt.Errorf("set the MTU of %s to %d: %w", n.name, c.MTU, err)
	}
	// Of small segments the kernel would put more into a train than a Super may have.
	if err := netlink.LinkSetGSOMaxSegs(link, offload.MaxSegments); err != nil {
		return fmt.Errorf("limit the trains of %s to %d packets: %w", n.name, offload.MaxSegments, err)
	}
	if err := netlink.LinkSetTxQLen(link, queueLength); err != nil {
		return fmt.Errorf("set the queue length of %s to %d packets: %w", n.name, queueLength, err)
	}
	return nil
}

func (n *native) attach() error {
	for _, f := range n.files {
		q, err := newQueue(n, f)
		if err != nil {
			return err
		}
		n.queues = append(n.queues, q)
	}
	return nil
}

// Name implements Device.
func (n *native) Name() string { return n.name }

// MTU implements Device.
func (n *native) MTU() int { return n.mtu }

// Queues implements Device.
func (n *native) Queues() []Queue { return n.queues }

// Stats implements Device.
func (n *native) Stats() Stats {
	return Stats{Refused: n.refused.Load(), Skipped: n.skipped.Load(), TSO: true, USO: n.uso}
}

// Close implements Device. When it returns, the interface is gone.
func (n *native) Close() error {
	if n.closed.Swap(true) {
		return nil
	}
	var errs []error
	for _, f := range n.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// gone says why a call on a queue ended: our Close, or somebody who took the interface away.
func (n *native) gone(err error) error {
	if n.closed.Load() {
		return os.ErrClosed
	}
	var errno unix.Errno
	if !errors.As(err, &errno) {
		errno = unix.EBADFD // the poller only says that it cannot wait any more
	}
	return fmt.Errorf("the interface %s is gone: %w; somebody removed it", n.name, errno)
}
