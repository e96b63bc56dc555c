package relayed

import (
	"bytes"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/relay"
)

// This file is what spares the first packet to a node, and the answer to it, a wait for their channels: see proto/relay.

// calling is a datagram that went with an Open.
type calling struct {
	tx   uint64
	data []byte
}

// Call has a datagram travel with the question for a channel, where the answer to one is still on its way, and reports whether it does. Should the relay not send it on, Return
// follows; should the question or its answer be lost, nothing does.
func (l *Links) Call(now mono.Time, node ident.Node, datagram []byte, out *Out) bool {
	if len(datagram) < relay.MinPayload || len(datagram) > relay.MaxCall-relay.ControlSize {
		return false
	}
	for _, n := range l.slots {
		if n == nil || !n.up() || !n.calls || n.pulse.doubtful() {
			continue
		}
		c := n.channels[node]
		if c == nil || c.number != 0 || c.tries == 0 || len(c.calls) >= MaxCalls || len(n.opens) >= 2*MaxChannels {
			continue
		}
		tx := n.sendWith(now, relay.Control{Kind: relay.Call, Node: node}, n.way(), datagram, out)
		n.opens[tx] = node
		c.calls = append(c.calls, calling{tx, bytes.Clone(datagram)})
		return true
	}
	return false
}

// settleCalls takes an answer for what travelled with the questions: what was not sent on, for this answer or one that did not come, goes back.
func (c *channel) settleCalls(node ident.Node, a *relay.Control, out *Out) {
	rest := c.calls[:0]
	for _, x := range c.calls {
		switch {
		case x.tx > a.Transaction || a.Took && x.tx < a.Transaction:
			rest = append(rest, x)
		case !a.Took:
			out.tell(Event{Kind: Return, Node: node, Data: x.data})
		}
	}
	if c.calls = rest; len(rest) == 0 {
		c.calls = nil
	}
}

// offer takes a channel that the relay has opened to a node, which is about to send to us.
func (n *link) offer(now mono.Time, a *relay.Control, out *Out) bool {
	if a.Transaction <= n.offered || a.Channel == 0 {
		return false
	}
	n.offered = a.Transaction
	p, c := n.l.peers[a.Node], n.channels[a.Node]
	if p == nil || c == nil && len(n.channels) >= int(n.welcome.Channels) {
		n.send(now, relay.Control{Kind: relay.Close, Channel: a.Channel}, n.way(), out)
		return true
	}
	if c == nil {
		c = &channel{}
		n.channels[a.Node] = c
	}
	delete(n.numbers, c.number)
	c.number, c.key, c.used = a.Channel, relay.ChannelKey(&n.welcome.Secret, a.Channel), now
	c.opened(now)
	n.numbers[c.number] = a.Node
	n.l.sweepSoon(now)
	n.l.settle(now, p, out)
	return true
}
