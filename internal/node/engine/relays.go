package engine

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/core/relayed"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/sys/mark"
	"github.com/cvlan/cvlan/proto/control"
)

// Times of looking names up.
const (
	lookupTime  = 5 * time.Second
	lookupRetry = 15 * time.Second // after a name was not found
	lookupAgain = 10 * time.Minute // a name may lead elsewhere by then
)

// names is what is known of where relays are. It belongs to the engine's loop.
type names struct {
	known map[string][]netip.Addr
	busy  bool
	again time.Time // zero: nothing is to be looked up
	found chan map[string][]netip.Addr
}

// relays tells the guide which relays there are, as far as their names have been looked up.
func (e *Engine) relays() {
	e.beRelay()
	if e.dev == nil || e.dev.tunnel.Guide() == nil {
		return
	}
	var all []relayed.Relay
	var servers []netip.AddrPort
	missing := map[string]bool{}
	for r := range e.table.Relays() {
		if len(r.Addresses) == 0 { // a node that has not begun
			continue
		}
		known := relayed.Relay{ID: r.ID, Region: r.Region}
		for _, at := range r.Addresses {
			known.Addrs = append(known.Addrs, e.addressesOf(at, missing)...)
		}
		all = append(all, known)
		for _, a := range known.Addrs {
			servers = append(servers, a)
			if r.STUN != 0 && r.STUN != a.Port() {
				servers = append(servers, netip.AddrPortFrom(a.Addr(), r.STUN))
			}
		}
	}
	e.dev.tunnel.Guide().SetRelays(slices.Collect(e.table.Relays()), all, servers)
	if len(missing) > 0 {
		e.lookup(missing)
	}
}

// beRelay tells which relay this node is to be: none when it was removed.
func (e *Engine) beRelay() {
	var is control.Relay
	v := e.session.State().Verdict
	for r := range e.table.Relays() {
		if r.Node == e.cfg.Membership.Node && v != session.Removed && v != session.Cloned {
			is = r
		}
	}
	if e.cfg.Relay != nil && is.ID != e.isRelay {
		e.isRelay = is.ID
		e.cfg.Relay(is)
	}
}

// addressesOf gives the addresses of host:port, and notes a name that is not known yet.
func (e *Engine) addressesOf(at string, missing map[string]bool) (all []netip.AddrPort) {
	host, text, err := net.SplitHostPort(at)
	port, err2 := strconv.ParseUint(text, 10, 16)
	if err != nil || err2 != nil {
		return nil // the map has been checked: control.CheckRelayAddresses
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(a.Unmap(), uint16(port))}
	}
	known, ok := e.names.known[host]
	if !ok {
		missing[host] = true
	}
	for _, a := range known {
		all = append(all, netip.AddrPortFrom(a, uint16(port)))
	}
	return all
}

// lookup finds names, all at once, and tells the loop.
func (e *Engine) lookup(missing map[string]bool) {
	if e.names.busy {
		return
	}
	e.names.busy, e.names.again = true, time.Time{}
	resolve := e.cfg.Outside.Resolve
	if resolve == nil {
		resolve = mark.Lookup
	}
	e.helpers.Go(func() {
		ctx, cancel := context.WithTimeout(e.life, lookupTime)
		defer cancel()
		found := map[string][]netip.Addr{}
		for host := range missing {
			addrs, err := resolve(ctx, host)
			if err != nil {
				e.log.Debug("relay's name not found", logx.Addr, host, logx.Err, err)
				continue
			}
			for _, a := range addrs[:min(len(addrs), control.MaxRelayAddresses)] {
				found[host] = append(found[host], a.Unmap())
			}
		}
		select {
		case e.names.found <- found:
		case <-e.life.Done():
		}
	})
}

// named takes what was looked up.
func (e *Engine) named(found map[string][]netip.Addr) {
	e.names.busy = false
	for host, addrs := range found {
		e.names.known[host] = addrs
	}
	e.relays()
	if !e.names.busy {
		e.names.again = time.Now().Add(lookupAgain)
	}
	if len(found) == 0 {
		e.names.again = time.Now().Add(lookupRetry)
	}
}

// renewNames has all names looked up again.
func (e *Engine) renewNames() {
	e.names.again = time.Time{}
	old := e.names.known
	e.names.known = map[string][]netip.Addr{}
	missing := map[string]bool{}
	for r := range e.table.Relays() {
		for _, at := range r.Addresses {
			e.addressesOf(at, missing)
		}
	}
	e.names.known = old // until better is known
	if len(missing) > 0 {
		e.lookup(missing)
	}
}
