package sock

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/internal/sys/mark"
)

// OpenBeside opens n sockets on one port as OpenGroup does, and one more for QUIC: the kernel itself hands it all datagrams whose first byte has one of
// the two top bits (RFC 9443), and spreads the others over the n by where they come from. Each kind has a socket that suits it, and no datagram
// goes through two programs' hands. The group closes apart.
func OpenBeside(c Config, n int) (group []Socket, quic *net.UDPConn, err error) {
	if group, err = OpenGroup(c, n); err != nil {
		return nil, nil, err
	}
	first := group[0].(*udp)
	if quic, err = sibling(first); err == nil {
		err = first.attach(choice(uint32(n)))
	}
	if err != nil {
		for _, s := range group {
			s.Close()
		}
		if quic != nil {
			quic.Close()
		}
		return nil, nil, fmt.Errorf("open UDP port %d for QUIC beside others: %w", first.Port(), err)
	}
	return group, quic, nil
}

// sibling opens a socket like u on the same port, for others' code.
func sibling(u *udp) (*net.UDPConn, error) {
	network := "udp"
	if u.only4 {
		network = "udp4"
	}
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		if e := raw.Control(func(fd uintptr) { mark.Set(fd); err = share(int(fd)) }); e != nil {
			return e
		}
		return err
	}}
	c, err := lc.ListenPacket(context.Background(), network, fmt.Sprintf(":%d", u.port))
	if err != nil {
		return nil, err
	}
	return c.(*net.UDPConn), nil
}

// attach has a program tell the kernel, by its number, which socket of the group gets a datagram.
func (u *udp) attach(instructions []bpf.Instruction) error {
	program, err := bpf.Assemble(instructions)
	if err != nil {
		return err
	}
	filters := make([]unix.SockFilter, len(program))
	for i, r := range program {
		filters[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	fprog := unix.SockFprog{Len: uint16(len(filters)), Filter: &filters[0]}
	if e := u.raw.Control(func(fd uintptr) {
		err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &fprog)
	}); e != nil {
		return e
	}
	return os.NewSyscallError("setsockopt SO_ATTACH_REUSEPORT_CBPF", err)
}

// networkHeader is where the network header begins in a filter's view (SKF_NET_OFF). It is used instead of the payload, because the kernel asks
// also when it joins datagrams into trains, and then the view begins elsewhere.
const networkHeader = ^uint32(0x100000) + 1

// choice is the program: it returns n for QUIC, else a number below n by source address and port. Extension headers of IPv6 make a wrong guess, which costs
// speed only if both kinds of sockets bear both kinds of datagrams.
func choice(n uint32) []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: networkHeader, Size: 1},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 6, SkipTrue: 7},
		// IPv4: the source address into scratch, the header's length into X.
		bpf.LoadAbsolute{Off: networkHeader + 12, Size: 4},
		bpf.StoreScratch{Src: bpf.RegA, N: 0},
		bpf.LoadAbsolute{Off: networkHeader, Size: 1},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 15},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 2},
		bpf.TAX{},
		bpf.Jump{Skip: 3},
		// IPv6: the same.
		bpf.LoadAbsolute{Off: networkHeader + 20, Size: 4},
		bpf.StoreScratch{Src: bpf.RegA, N: 0},
		bpf.LoadConstant{Dst: bpf.RegX, Val: 40},
		// The first byte of the payload.
		bpf.LoadIndirect{Off: networkHeader + 8, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: 0x40, SkipTrue: 1},
		bpf.RetConstant{Val: n},
		// The source port, mixed with the address.
		bpf.LoadIndirect{Off: networkHeader, Size: 2},
		bpf.LoadScratch{Dst: bpf.RegX, N: 0},
		bpf.ALUOpX{Op: bpf.ALUOpXor},
		bpf.ALUOpConstant{Op: bpf.ALUOpMul, Val: 0x9e3779b1},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 16},
		bpf.ALUOpConstant{Op: bpf.ALUOpMod, Val: n},
		bpf.RetA{},
	}
}
