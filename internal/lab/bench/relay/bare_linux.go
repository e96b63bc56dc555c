package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// bare forwards datagrams by their source and nothing else: recvmmsg, a look into a table, sendmmsg. No program that handles each datagram by
// itself does it for less, so it tells what the machine's system calls cost. A relay may: it makes trains of what goes to one place.
type bare struct {
	mu     sync.RWMutex
	to     map[unix.RawSockaddrInet4]*unix.RawSockaddrInet4
	frames atomic.Uint64
}

const bareBatch = 64

// serveBare is the bare forwarder's process: "from to" makes a pair of two addresses, and each line is answered with a reading.
func serveBare() error {
	u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	u.SetReadBuffer(16 << 20)
	b := &bare{to: map[unix.RawSockaddrInet4]*unix.RawSockaddrInet4{}}
	done := make(chan error, 1)
	go func() { done <- b.run(u) }()
	fmt.Println(u.LocalAddr().(*net.UDPAddr).Port)
	out := json.NewEncoder(os.Stdout)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var from, to string
		if n, _ := fmt.Sscan(in.Text(), &from, &to); n == 2 {
			b.pair(netip.MustParseAddrPort(from), netip.MustParseAddrPort(to))
		}
		if err := out.Encode(reading{CPU: processor(), Frames: b.frames.Load()}); err != nil {
			break
		}
	}
	u.Close()
	return <-done
}

func (b *bare) pair(from, to netip.AddrPort) {
	b.mu.Lock()
	defer b.mu.Unlock()
	dst := inet4(to)
	b.to[inet4(from)] = &dst
}

// inet4 is an address as the kernel has it.
func inet4(a netip.AddrPort) unix.RawSockaddrInet4 {
	raw := unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: a.Addr().As4()}
	port := (*[2]byte)(unsafe.Pointer(&raw.Port))
	port[0], port[1] = byte(a.Port()>>8), byte(a.Port())
	return raw
}

func (b *bare) run(u *net.UDPConn) error {
	raw, err := u.SyscallConn()
	if err != nil {
		return err
	}
	var names [bareBatch]unix.RawSockaddrInet4
	var in, out [bareBatch]unix.Mmsghdr
	for i := range in {
		in[i].Hdr.Name = (*byte)(unsafe.Pointer(&names[i]))
		in[i].Hdr.Iov = &unix.Iovec{Base: &make([]byte, 2048)[0]}
		in[i].Hdr.SetIovlen(1)
	}
	for {
		n := 0
		err := raw.Read(func(fd uintptr) bool {
			for i := range in {
				in[i].Hdr.Namelen = unix.SizeofSockaddrInet4
				in[i].Hdr.Iov.SetLen(2048)
			}
			got, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&in)), bareBatch, unix.MSG_DONTWAIT, 0, 0)
			if errno == 0 {
				n = int(got)
			}
			return errno != unix.EAGAIN
		})
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		b.send(raw, out[:b.turn(&in, &names, &out, n)])
	}
}

// turn makes messages to send of those that have come, and says how many.
func (b *bare) turn(in *[bareBatch]unix.Mmsghdr, names *[bareBatch]unix.RawSockaddrInet4, out *[bareBatch]unix.Mmsghdr, n int) (ready int) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for i := range n {
		to := b.to[names[i]]
		if to == nil {
			continue
		}
		in[i].Hdr.Iov.SetLen(int(in[i].Len))
		h := &out[ready].Hdr
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(to)), unix.SizeofSockaddrInet4
		h.Iov = in[i].Hdr.Iov
		h.SetIovlen(1)
		ready++
	}
	return ready
}

func (b *bare) send(raw interface {
	Write(func(uintptr) bool) error
}, out []unix.Mmsghdr) {
	if len(out) == 0 {
		return
	}
	raw.Write(func(fd uintptr) bool {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&out[0])), uintptr(len(out)), 0, 0, 0)
		if errno == 0 {
			b.frames.Add(uint64(n))
		}
		return true
	})
}

// beside has a pair meet through the bare forwarder.
func beside(c *child, _ int) (from, to *net.UDPConn, datagram []byte, err error) {
	ends := [2]*net.UDPConn{}
	for i := range ends {
		u, err := net.Dial("udp4", c.addr)
		if err != nil {
			return nil, nil, nil, err
		}
		ends[i] = u.(*net.UDPConn)
	}
	_, err = c.ask(fmt.Sprint(ends[0].LocalAddr(), " ", ends[1].LocalAddr()))
	return ends[0], ends[1], make([]byte, payload), err
}

func bareBulk(c *child) (*load, error)  { return udpLoad(c, beside, 0, single(32)) }
func barePaced(c *child) (*load, error) { return udpLoad(c, beside, pace, single(1)) }
