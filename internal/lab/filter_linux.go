package lab

import (
	"fmt"
	"os"
	"strconv"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// filter writes what the site's router does to packets.
func (s *Site) filter() error {
	conn, err := s.router.firewall()
	if err != nil {
		return err
	}
	if err := s.writeNAT(conn); err != nil {
		return err
	}
	if err := s.writeFilter(conn); err != nil {
		return fmt.Errorf("write the filter of %s: %w", s.name, err)
	}
	return s.setUDPLife()
}

// writeNAT writes the translation anew: nothing that was learnt remains.
func (s *Site) writeNAT(conn *nftables.Conn) error {
	if !s.spec.translates() {
		return nil
	}
	n := &nat{spec: s.spec, wan: s.router.v4, conn: conn}
	if err := n.write(); err != nil {
		return fmt.Errorf("write the NAT rules of %s: %w", s.name, err)
	}
	if s.mapper != nil {
		s.mapper.restart(conn, n.opened)
	}
	return nil
}

func (s *Site) writeFilter(conn *nftables.Conn) error {
	table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "fw0"})
	holes, err := s.addPinholes(conn, table)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		name  string
		hook  *nftables.ChainHook
		rules []words
	}{
		{"input", nftables.ChainHookInput, s.inputRules()},
		{"forward", nftables.ChainHookForward, s.forwardRules(holes)},
	} {
		chain := conn.AddChain(&nftables.Chain{Table: table, Name: c.name, Type: nftables.ChainTypeFilter,
			Hooknum: c.hook, Priority: nftables.ChainPriorityFilter})
		for _, r := range c.rules {
			conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: r})
		}
	}
	return conn.Flush()
}

// addPinholes makes the set of inside addresses and ports of IPv6 that strangers may send to; nil: there is no filter, or nobody may ask.
func (s *Site) addPinholes(conn *nftables.Conn, table *nftables.Table) (*nftables.Set, error) {
	if s.mapper == nil || s.spec.IPv6 != IPv6Stateful {
		return nil, nil
	}
	holes := &nftables.Set{Table: table, Name: "pinholes", ID: 9, Size: mappings, Concatenation: true, HasTimeout: true,
		KeyType: nftables.MustConcatSetType(nftables.TypeIP6Addr, nftables.TypeInetService)}
	s.mapper.holes = holes
	return holes, conn.AddSet(holes, nil)
}

const answers = expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED

// inputRules keep the router silent towards the internet: an unsolicited packet for a NAT's own address that it
// answered (port unreachable) would set up a connection of its own and take the port from the host inside.
func (s *Site) inputRules() []words {
	if s.spec.OpenInput {
		return nil
	}
	return []words{
		rule(from("wan"), state(answers), accept()),
		rule(from("wan"), protocol(unix.IPPROTO_ICMP), accept()),
		rule(from("wan"), protocol(unix.IPPROTO_ICMPV6), accept()),
		rule(from("wan"), drop()),
	}
}

func (s *Site) forwardRules(holes *nftables.Set) []words {
	var rules []words
	if s.spec.BlackHole > 0 {
		rules = append(rules, rule(longer(s.spec.BlackHole), drop()))
	}
	if s.spec.NoUDP {
		rules = append(rules, rule(udp(), drop()))
	}
	if s.spec.Only443 {
		rules = append(rules, rule(state(answers), accept()),
			rule(protocol(unix.IPPROTO_TCP), loadDestPort(reg0), words{equal(reg0, 443>>8, 443&0xff)}, accept()),
			rule(drop()))
	}
	if s.spec.Kind == Firewall {
		rules = append(rules, rule(from("wan"), family(unix.NFPROTO_IPV4), state(expr.CtStateBitNEW), drop()))
	}
	if holes != nil {
		rules = append(rules, rule(from("wan"), family(unix.NFPROTO_IPV6), udp(), loadDestination6(reg0), loadDestPort(reg4), contained(holes), accept()))
	}
	if s.spec.IPv6 == IPv6Stateful {
		rules = append(rules, rule(from("wan"), family(unix.NFPROTO_IPV6), state(expr.CtStateBitNEW), drop()))
	}
	return rules
}

// setUDPLife makes connection tracking forget as fast as the tables do. Its defaults, 30 s for a question and 120 s
// for a conversation, stay where the spec says nothing; some kernels hide them from user namespaces.
func (s *Site) setUDPLife() error {
	plain, err := ParseSpec(string(s.spec.Kind))
	if err != nil || s.spec.UDPLife == plain.UDPLife {
		return err
	}
	secs := strconv.Itoa(int(s.spec.UDPLife.Seconds()))
	err = s.router.on(func() error {
		return setAll([][2]string{
			{"net/netfilter/nf_conntrack_udp_timeout", secs},
			{"net/netfilter/nf_conntrack_udp_timeout_stream", secs},
		})
	})
	if os.IsNotExist(err) || os.IsPermission(err) {
		return fmt.Errorf("%w; a router option +tN needs root", err)
	}
	return err
}
