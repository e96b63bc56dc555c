package lab

import (
	"fmt"
	"sync/atomic"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// Counter counts datagrams that go between the sites of two hosts without a detour.
type Counter struct {
	conn  *nftables.Conn
	table *nftables.Table
	chain *nftables.Chain
}

// counters are numbered, because each has a table of its own.
var counters atomic.Uint32

// CountUDP begins to count, where the ways of two hosts meet, the datagrams between them, both ways, whose first byte is this one. A
// datagram that goes through a third host is not among them. It may be called from any goroutine.
func (l *Lab) CountUDP(a, b *Host, first byte) (*Counter, error) {
	at, in, out, bridge, err := between(a, b)
	if err != nil || bridge {
		return nil, fmt.Errorf("count between %s and %s: they are on one LAN, or: %w", a.name, b.name, err)
	}
	c := &Counter{}
	if c.conn, err = at.firewall(); err != nil {
		return nil, err
	}
	c.table = c.conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: fmt.Sprintf("count%d", counters.Add(1))})
	before := nftables.ChainPriority(5)
	c.chain = c.conn.AddChain(&nftables.Chain{Table: c.table, Name: "forward", Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookForward, Priority: &before})
	payload := rule(udp(), transportByte(reg0, 8), words{equal(reg0, first), &expr.Counter{}})
	for _, way := range [][2]string{{in, out}, {out, in}} {
		for _, entry := range []string{way[0], delayLink(way[0])} { // see lose
			c.conn.AddRule(&nftables.Rule{Table: c.table, Chain: c.chain, Exprs: rule(from(entry), to(way[1]), payload)})
		}
	}
	if err := c.conn.Flush(); err != nil {
		return nil, fmt.Errorf("count between %s and %s: %w", a.name, b.name, err)
	}
	return c, nil
}

// Read returns how many datagrams have gone from the first host to the second, and back.
func (c *Counter) Read() (there, back uint64, err error) {
	rules, err := c.conn.GetRules(c.table, c.chain)
	if err != nil || len(rules) != 4 {
		return 0, 0, fmt.Errorf("read a counter: %d rules, %w", len(rules), err)
	}
	var n [4]uint64
	for i, r := range rules {
		for _, e := range r.Exprs {
			if counter, ok := e.(*expr.Counter); ok {
				n[i] = counter.Packets
			}
		}
	}
	return n[0] + n[1], n[2] + n[3], nil
}

// Close ends the count.
func (c *Counter) Close() error {
	c.conn.DelTable(c.table)
	return c.conn.Flush()
}
