package portmap

import "github.com/cvlan/cvlan/internal/base/mono"

// Deadline is when Tick has something to do; Never: wake only on input.
func (c *Client) Deadline() mono.Time {
	at := mono.Earlier(c.ask[PCP].next, c.ask[NATPMP].next)
	switch c.phase {
	case looking:
		at = mono.Earlier(at, c.turn())
	case holding:
		at = mono.Earlier(at, mono.Earlier(c.held.until, mono.Earlier(c.held.renew, c.held.see)))
	case resting:
		at = mono.Earlier(at, c.wake)
	}
	return at
}

// turn is when the next slower protocol gets its turn; Never: only an answer can give it.
func (c *Client) turn() mono.Time {
	switch {
	case c.cfg.Port == 0 || c.known[PCP] == present:
		return mono.Never
	case c.known[NATPMP] == present:
		return c.began.Add(patience)
	case c.known[UPnP] == present:
		return c.began.Add(patienceUPnP)
	default:
		return mono.Never
	}
}

// Tick repeats, gives up, renews and checks what is due. Early calls are harmless.
func (c *Client) Tick(now mono.Time, out *Out) {
	for _, p := range []Protocol{PCP, NATPMP} {
		q := &c.ask[p]
		switch {
		case !due(now, q.next):
		case q.sent < askTimes:
			q.transmit(now, out)
		default:
			q.next = mono.Never
			c.silent(now, p, out)
		}
	}
	switch c.phase {
	case looking:
		c.decide(now, out)
	case holding:
		c.keep(now, out)
	case resting:
		if due(now, c.wake) {
			_ = c.begin(now, out) // without random numbers it rests on
		}
	}
}

func due(now, at mono.Time) bool { return !at.IsNever() && !now.Before(at) }

// silent notes that a question has been given up.
func (c *Client) silent(now mono.Time, p Protocol, out *Out) {
	switch {
	case c.phase == closing:
	case c.known[p] == unknown:
		c.known[p] = absent
		c.decide(now, out)
	case c.phase == mapping && c.by == p:
		c.failed(now, p, out)
		c.decide(now, out)
	}
}

// decide lets the best protocol map that there is, once the better ones have had their time; or notes that there is none.
func (c *Client) decide(now mono.Time, out *Out) {
	c.tellLooked(out)
	if c.phase != looking {
		return
	}
	if c.cfg.Port == 0 {
		if c.looked {
			c.phase = idle
		}
		return
	}
	over := func(p Protocol) bool { return c.known[p] == absent || c.known[p] == failing }
	switch {
	case c.known[PCP] == present && c.ask[PCP].next.IsNever(): // it mapped before, and is asked again
		c.phase, c.by = mapping, PCP
		c.send(now, c.pcpMap(), out)
	case c.known[PCP] == present:
	case c.known[NATPMP] == present && (over(PCP) || now.Sub(c.began) >= patience):
		c.phase, c.by = mapping, NATPMP
		c.send(now, c.pmpMap(), out)
	case c.known[UPnP] == present && (over(PCP) && over(NATPMP) || now.Sub(c.began) >= patienceUPnP):
		if c.start(Job{Kind: MapUPnP, External: c.port, Lifetime: lifetime}, out) {
			c.phase, c.by = mapping, UPnP
		}
	case over(PCP) && over(NATPMP) && over(UPnP):
		c.rest(now)
	}
}

// tellLooked tells once that it is known of each protocol whether it is there.
func (c *Client) tellLooked(out *Out) {
	if !c.looked && c.known[PCP] != unknown && c.known[NATPMP] != unknown && c.known[UPnP] != unknown {
		c.looked = true
		out.Events = append(out.Events, Event{Kind: Looked})
	}
}

// keep renews the mapping, ends it, or asks the router whether it still knows it.
func (c *Client) keep(now mono.Time, out *Out) {
	if due(now, c.held.until) {
		c.lose(out)
		_ = c.begin(now, out)
		return
	}
	if due(now, c.held.renew) {
		c.again(now, out)
	}
	if due(now, c.held.see) {
		c.see(now, out)
	}
}

// again makes the mapping that there is once more. The next time comes at half of what is then left, if nobody answers.
func (c *Client) again(now mono.Time, out *Out) {
	c.held.renew = now.Add(max(c.held.until.Sub(now)/2, minRenewal))
	if c.held.protocol == UPnP {
		c.held.renew = mono.Earlier(c.held.renew, now.Add(remakeUPnP))
	}
	switch c.held.protocol {
	case PCP:
		c.send(now, c.pcpMap(), out)
	case NATPMP:
		c.send(now, c.pmpMap(), out)
	case UPnP:
		c.start(Job{Kind: MapUPnP, External: c.held.external.Port(), Lifetime: lifetime}, out)
	}
}

// see asks the router for its epoch, unless it is being asked for the mapping itself.
func (c *Client) see(now mono.Time, out *Out) {
	p := c.held.protocol
	if p == UPnP {
		c.again(now, out)
		return
	}
	c.held.see = now.Add(checkEvery)
	switch {
	case !c.ask[p].next.IsNever():
	case p == PCP:
		c.send(now, Request{Protocol: PCP, Local: c.network.Local}, out)
	default:
		c.send(now, Request{Protocol: NATPMP}, out)
	}
}
