package lab

import (
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// nat writes the translation of one router. The kernel's own masquerade gives mapping and filtering by address and
// port; the other kinds come from three tables that are filled as packets leave and consulted as packets come:
//
//	out   inside address and port -> outside address and port    keeps the mapping for every destination
//	in    outside port -> inside address and port                lets strangers in
//	may   outside port and remote address                        those that were spoken to
//
// A fourth, opened, holds the ports that computers of the LAN have asked for: outside port -> inside address and port.
type nat struct {
	spec Spec
	wan  netip.Addr

	conn         *nftables.Conn
	table        *nftables.Table
	out, in, may *nftables.Set
	opened       *nftables.Set
}

// mappings bounds each of a router's tables.
const mappings = 65535

func (n *nat) write() error {
	old := nftables.Table{Family: nftables.TableFamilyIPv4, Name: "nat0"}
	n.conn.AddTable(&old)
	n.conn.DelTable(&old) // with what it had learnt
	n.table = n.conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "nat0"})
	if err := n.addSets(); err != nil {
		return err
	}
	n.arriving(n.chain("pre", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, *nftables.ChainPriorityNATDest))
	n.leaving(n.chain("post", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, *nftables.ChainPriorityNATSource))
	n.learning(n.chain("learn", nftables.ChainTypeFilter, nftables.ChainHookPostrouting, *nftables.ChainPriorityNATSource+50))
	return n.conn.Flush()
}

func (n *nat) chain(name string, kind nftables.ChainType, hook *nftables.ChainHook, at nftables.ChainPriority) *nftables.Chain {
	return n.conn.AddChain(&nftables.Chain{Table: n.table, Name: name, Type: kind, Hooknum: hook, Priority: &at})
}

func (n *nat) add(c *nftables.Chain, parts ...words) {
	n.conn.AddRule(&nftables.Rule{Table: n.table, Chain: c, Exprs: rule(parts...)})
}

func (n *nat) addSets() error {
	inside := nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetService)
	n.out = n.set("out", inside)
	n.out.Concatenation, n.out.IsMap, n.out.DataType = true, true, inside
	n.in = n.set("in", nftables.TypeInetService)
	n.in.IsMap, n.in.DataType = true, inside
	n.may = n.set("may", nftables.MustConcatSetType(nftables.TypeInetService, nftables.TypeIPAddr))
	n.may.Concatenation = true
	n.opened = n.set("opened", nftables.TypeInetService)
	n.opened.IsMap, n.opened.DataType, n.opened.Dynamic, n.opened.Timeout = true, inside, false, 0
	for i, s := range []*nftables.Set{n.out, n.in, n.may, n.opened} {
		s.ID = uint32(i + 1) // unique in this transaction; the library's own counter is shared by all goroutines
		if err := n.conn.AddSet(s, nil); err != nil {
			return err
		}
	}
	return nil
}

func (n *nat) set(name string, key nftables.SetDatatype) *nftables.Set {
	return &nftables.Set{Table: n.table, Name: name, KeyType: key, Size: mappings, Dynamic: true, HasTimeout: true, Timeout: n.spec.UDPLife}
}

// arriving: strangers that may come in are sent to the inside socket.
func (n *nat) arriving(c *nftables.Chain) {
	inward := rule(loadDestPort(reg0), find(n.in, reg0), translate(expr.NATTypeDestNAT, reg0))
	if n.spec.PortMap {
		n.add(c, from("wan"), udp(), loadDestPort(reg0), find(n.opened, reg0), translate(expr.NATTypeDestNAT, reg0))
	}
	switch n.spec.Kind {
	case FullCone:
		n.add(c, from("wan"), udp(), inward)
	case AddrCone, SymAddr:
		n.add(c, from("wan"), udp(), loadDestPort(reg0), loadSource(reg1), contained(n.may), inward)
	}
	if n.spec.Hairpin {
		n.add(c, notFrom("wan"), destined(n.wan), udp(), inward)
	}
}

// leaving: an inside socket gets its outside port.
func (n *nat) leaving(c *nftables.Chain) {
	known := rule(loadSource(reg0), loadSourcePort(reg1), find(n.out, reg0), translate(expr.NATTypeSourceNAT, reg0))
	if n.spec.Hairpin {
		n.add(c, notTo("wan"), first(n.wan), udp(), known)
		n.add(c, notTo("wan"), first(n.wan), n.toWan())
	}
	switch n.spec.Kind {
	case FullCone, AddrCone, PortCone:
		n.add(c, to("wan"), udp(), known)
	}
	n.add(c, to("wan"), udp(), n.fresh())
	n.add(c, to("wan"), words{&expr.Masq{}})
}

// fresh gives a new mapping.
func (n *nat) fresh() words {
	switch n.spec.Kind {
	case Sym, SymAddr:
		return words{&expr.Masq{FullyRandom: true}}
	case SymSeq:
		return rule(words{
			&expr.Immediate{Register: reg0, Data: n.wan.AsSlice()},
			&expr.Numgen{Register: reg1, Modulus: 20000, Offset: 20000, Type: unix.NFT_NG_INCREMENTAL},
			bigEndian(reg1, 2),
		}, translate(expr.NATTypeSourceNAT, reg0))
	}
	return words{&expr.Masq{Random: n.spec.Random}}
}

func (n *nat) toWan() words {
	return words{&expr.Immediate{Register: reg0, Data: n.wan.AsSlice()},
		&expr.NAT{Type: expr.NATTypeSourceNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: reg0}}
}

// learning: packets on their way out, rewritten already, fill the tables. The second half is for connections that a
// stranger began and the inside answers: their inside socket is the source of the reply direction.
func (n *nat) learning(c *nftables.Chain) {
	for _, half := range []words{direction(asked), rule(direction(answered), ctBits(expr.CtKeySTATUS, statusDNAT))} {
		dir := uint32(half[1].(*expr.Cmp).Data[0])
		inside := func(reg uint32) words {
			return rule(loadCt(reg, expr.CtKeySRC, dir), loadCt(reg+1, expr.CtKeyPROTOSRC, dir))
		}
		n.add(c, to("wan"), udp(), half, inside(reg0), loadSource(reg2), loadSourcePort(reg3), update(n.out, reg2))
		n.add(c, to("wan"), udp(), half, loadSourcePort(reg0), inside(reg1), update(n.in, reg1))
		n.add(c, to("wan"), udp(), half, loadSourcePort(reg0), loadDestination(reg1), update(n.may, 0))
	}
}

func udp() words { return protocol(unix.IPPROTO_UDP) }

// find replaces the key in the lowest registers by its value, from reg on; a rule ends where there is none.
func find(s *nftables.Set, reg uint32) words {
	return words{&expr.Lookup{SourceRegister: reg0, DestRegister: reg, IsDestRegSet: true, SetID: s.ID, SetName: s.Name}}
}

func contained(s *nftables.Set) words {
	return words{&expr.Lookup{SourceRegister: reg0, SetID: s.ID, SetName: s.Name}}
}

// update adds the key in the lowest registers, or makes it young again, with the value from a register on (0: none).
func update(s *nftables.Set, value uint32) words {
	return words{&expr.Dynset{SrcRegKey: reg0, SrcRegData: value, SetID: s.ID, SetName: s.Name, Operation: unix.NFT_DYNSET_OP_UPDATE}}
}
