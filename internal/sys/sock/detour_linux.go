package sock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Detour is a socket on a group's port whose datagrams the kernel opens itself, as ESP (RFC 3948). The kernel takes all of them, whether it
// knows what to do with them or not, so it gets only what is asked for by Take: everything else goes on to the group.
type Detour struct {
	first *udp
	n     int // the group's size, and this one's number in it
	conn  *net.UDPConn
}

// MaxTaken is how many Takings there may be: a program of the kernel looks through them with every datagram.
const MaxTaken = 64

// Taking names the datagrams of one association.
type Taking struct {
	SPI uint32
	To  netip.Addr // which of our addresses they come to
}

// OpenDetour opens one for a group of OpenGroup's or OpenBeside's.
func OpenDetour(group []Socket) (*Detour, error) {
	first, ok := group[0].(*udp)
	if !ok {
		return nil, errors.New("open a detour: not for sockets of this kind")
	}
	d := &Detour{first: first, n: len(group)}
	if err := d.open(); err != nil {
		return nil, fmt.Errorf("open a detour on UDP port %d: %w", first.Port(), err)
	}
	return d, nil
}

func (d *Detour) open() (err error) {
	if d.conn, err = sibling(d.first); err != nil {
		return err
	}
	if err = d.Take(nil); err == nil { // before the kernel opens anything
		err = d.encapsulate()
	}
	if err != nil {
		d.conn.Close()
	}
	return err
}

func (d *Detour) encapsulate() error {
	raw, err := d.conn.SyscallConn()
	if err != nil {
		return err
	}
	if e := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_ENCAP, unix.UDP_ENCAP_ESPINUDP)
	}); e != nil {
		return e
	}
	return os.NewSyscallError("setsockopt UDP_ENCAP", err)
}

// Take says which datagrams the kernel is to open from now on.
func (d *Detour) Take(all []Taking) error {
	if len(all) > MaxTaken {
		return fmt.Errorf("lead %d associations to the kernel: at most %d are possible", len(all), MaxTaken)
	}
	return d.first.attach(detour(uint32(d.n), all))
}

// Close gives everything back to the group, if there still is one.
func (d *Detour) Close() error {
	_ = d.Take(nil) // else the group is closed
	return d.conn.Close()
}

// The steps of the programs that only this file has. Scratch 1 is the last word of our own address.
const (
	lastWord4 = networkHeader + 16
	lastWord6 = networkHeader + 36
)

// detour is the program: n for a datagram that is taken, else a number below n by source address and port.
func detour(n uint32, all []Taking) []bpf.Instruction {
	p := []bpf.Instruction{
		bpf.LoadAbsolute{Off: networkHeader, Size: 1},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 6, SkipTrue: 9},
		// IPv4: both addresses into scratch, the header's length into X.
		bpf.LoadAbsolute{Off: networkHeader + 12, Size: 4},
		bpf.StoreScratch{Src: bpf.RegA, N: 0},
		bpf.LoadAbsolute{Off: lastWord4, Size: 4},
		bpf.StoreScratch{Src: bpf.RegA, N: 1},
		bpf.LoadAbsolute{Off: networkHeader, Size: 1},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 15},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 2},
		bpf.TAX{},
		bpf.Jump{Skip: 5},
		// IPv6: the same.
		bpf.LoadAbsolute{Off: networkHeader + 20, Size: 4},
		bpf.StoreScratch{Src: bpf.RegA, N: 0},
		bpf.LoadAbsolute{Off: lastWord6, Size: 4},
		bpf.StoreScratch{Src: bpf.RegA, N: 1},
		bpf.LoadConstant{Dst: bpf.RegX, Val: 40},
		// The source port, mixed with the address, into scratch: whose it is if nobody takes it.
		bpf.LoadIndirect{Off: networkHeader, Size: 2},
		bpf.StoreScratch{Src: bpf.RegA, N: 3},
		bpf.StoreScratch{Src: bpf.RegX, N: 2},
		bpf.LoadScratch{Dst: bpf.RegX, N: 0},
		bpf.LoadScratch{Dst: bpf.RegA, N: 3},
		bpf.ALUOpX{Op: bpf.ALUOpXor},
		bpf.ALUOpConstant{Op: bpf.ALUOpMul, Val: 0x9e3779b1},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 16},
		bpf.ALUOpConstant{Op: bpf.ALUOpMod, Val: n},
		bpf.StoreScratch{Src: bpf.RegA, N: 3},
		// What is not as long as a header of ESP, or begins with a zero, is none of ours. A load beyond the end would choose socket 0.
		bpf.LoadScratch{Dst: bpf.RegX, N: 2},
		bpf.LoadIndirect{Off: networkHeader + 4, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: 8 + 16, SkipTrue: 2},
		bpf.LoadScratch{Dst: bpf.RegA, N: 3},
		bpf.RetA{},
		bpf.LoadIndirect{Off: networkHeader + 8, Size: 4},
		bpf.TAX{}, // X: the SPI
	}
	for _, t := range all {
		p = append(p,
			bpf.TXA{},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: t.SPI, SkipTrue: 3},
			bpf.LoadScratch{Dst: bpf.RegA, N: 1},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: lastWord(t.To), SkipTrue: 1},
			bpf.RetConstant{Val: n},
		)
	}
	return append(p, bpf.LoadScratch{Dst: bpf.RegA, N: 3}, bpf.RetA{})
}

// lastWord tells our addresses apart well enough: a wrong guess loses datagrams that come to another address of ours with an SPI that is taken.
func lastWord(a netip.Addr) uint32 {
	b := a.As16()
	return binary.BigEndian.Uint32(b[12:])
}
