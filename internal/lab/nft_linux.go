package lab

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// The words of a rule. A register is 4 bytes wide from reg0 on; the words that match use the lowest, and a
// concatenation takes one register a field.
const (
	reg0 = unix.NFT_REG32_00
	reg1 = unix.NFT_REG32_01
	reg2 = unix.NFT_REG32_02
	reg3 = unix.NFT_REG32_03
	reg4 = unix.NFT_REG32_04
)

type words []expr.Any

// rule joins words to one rule.
func rule(parts ...words) words {
	var all words
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// firewall opens the rule sets of a host's network namespace.
func (h *Host) firewall() (*nftables.Conn, error) {
	c, err := nftables.New(nftables.WithNetNSFd(int(h.spaces[0].file.Fd())))
	if err != nil {
		return nil, fmt.Errorf("open nftables on %s: %w", h.name, err)
	}
	return c, nil
}

func linkName(key expr.MetaKey, op expr.CmpOp, name string) words {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return words{&expr.Meta{Key: key, Register: unix.NFT_REG_1}, &expr.Cmp{Op: op, Register: unix.NFT_REG_1, Data: b}}
}

func from(link string) words    { return linkName(expr.MetaKeyIIFNAME, expr.CmpOpEq, link) }
func notFrom(link string) words { return linkName(expr.MetaKeyIIFNAME, expr.CmpOpNeq, link) }
func to(link string) words      { return linkName(expr.MetaKeyOIFNAME, expr.CmpOpEq, link) }
func notTo(link string) words   { return linkName(expr.MetaKeyOIFNAME, expr.CmpOpNeq, link) }

func protocol(p byte) words {
	return words{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg0}, equal(reg0, p)}
}

func family(f byte) words {
	return words{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: reg0}, equal(reg0, f)}
}

func etherType(t uint16) words {
	return words{&expr.Meta{Key: expr.MetaKeyPROTOCOL, Register: reg0}, equal(reg0, byte(t>>8), byte(t))}
}

func equal(reg uint32, b ...byte) expr.Any {
	return &expr.Cmp{Op: expr.CmpOpEq, Register: reg, Data: b}
}

// longer matches packets of more than n bytes, the IP header included.
func longer(n int) words {
	return words{&expr.Meta{Key: expr.MetaKeyLEN, Register: reg0}, bigEndian(reg0, 4),
		&expr.Cmp{Op: expr.CmpOpGt, Register: reg0, Data: be32(uint32(n))}}
}

// outOf matches n packets out of every 10000, by chance.
func outOf10000(n uint32) words {
	return words{&expr.Numgen{Register: reg0, Modulus: 10000, Type: unix.NFT_NG_RANDOM}, bigEndian(reg0, 4),
		&expr.Cmp{Op: expr.CmpOpLt, Register: reg0, Data: be32(n)}}
}

func bigEndian(reg, size uint32) expr.Any {
	return &expr.Byteorder{SourceRegister: reg, DestRegister: reg, Op: expr.ByteorderHton, Len: size, Size: size}
}

func be32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// state matches connections in one of the states; the bits are expr.CtStateBit….
func state(bits uint32) words { return ctBits(expr.CtKeySTATE, bits) }

// statusDNAT is the bit of a connection whose destination was rewritten (IPS_DST_NAT).
const statusDNAT = 1 << 5

func ctBits(key expr.CtKey, bits uint32) words {
	return words{&expr.Ct{Key: key, Register: reg0},
		&expr.Bitwise{SourceRegister: reg0, DestRegister: reg0, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(bits), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: reg0, Data: make([]byte, 4)}}
}

// The two directions of a connection.
const (
	asked    = 0
	answered = 1
)

func direction(d byte) words {
	return words{&expr.Ct{Key: expr.CtKeyDIRECTION, Register: reg0}, equal(reg0, d)}
}

// Loads: a field into a register.

func loadSource(reg uint32) words      { return network(reg, 12) }
func loadDestination(reg uint32) words { return network(reg, 16) }
func loadSourcePort(reg uint32) words  { return transport(reg, 0) }
func loadDestPort(reg uint32) words    { return transport(reg, 2) }

// loadDestination6 takes four registers.
func loadDestination6(reg uint32) words {
	return words{&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseNetworkHeader, Offset: 24, Len: 16}}
}

func network(reg, offset uint32) words {
	return words{&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: 4}}
}

func transport(reg, offset uint32) words {
	return words{&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: 2}}
}

func transportByte(reg, offset uint32) words {
	return words{&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: 1}}
}

func loadCt(reg uint32, key expr.CtKey, dir uint32) words {
	return words{&expr.Ct{Key: key, Register: reg, Direction: dir}}
}

// destined matches packets to an IPv4 address; first matches connections whose first packet went there.
func destined(a netip.Addr) words {
	return rule(loadDestination(reg0), words{equal(reg0, a.AsSlice()...)})
}
func first(a netip.Addr) words {
	return rule(loadCt(reg0, expr.CtKeyDST, asked), words{equal(reg0, a.AsSlice()...)})
}

// Ends: what happens to a packet that matched.

func drop() words   { return words{&expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop}} }
func accept() words { return words{&expr.Verdict{Kind: expr.VerdictAccept}} }

// translate rewrites to the address in one register and the port in the next.
func translate(kind expr.NATType, reg uint32) words {
	return words{&expr.NAT{Type: kind, Family: unix.NFPROTO_IPV4, RegAddrMin: reg, RegProtoMin: reg + 1, Specified: true}}
}
