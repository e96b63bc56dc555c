package stream

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"time"
)

const (
	maxTargets, maxProxied = 8, 4
	// lookupTime bounds the wait for the first name; once there is an address, other names get
	lookupTime = 5 * time.Second
	// lookupRest, and after the address of a proxy, which often is no name, lookupProxied.
	lookupRest    = stagger
	lookupProxied = time.Second
)

// target is an address to try, and what it came from.
type target struct {
	name string // as given
	host string
	to   netip.AddrPort
	via  *proxy // which listens at to; nil: the other end itself does
}

// String names the target for people: the name too, if it is not the address itself.
func (t target) String() string {
	name, through := t.name, ""
	if t.via != nil {
		name, through = t.via.at(), "through the proxy "
	}
	if a := t.to.String(); a != name {
		return through + name + " (" + a + ")"
	}
	return through + name
}

// lookups are the names to resolve: the addresses, and the proxies that lead to them.
func (cfg *DialConfig) lookups() (all []target) {
	for _, a := range cfg.Addrs {
		all = append(all, target{name: a})
	}
	for _, a := range cfg.Addrs {
		if p, _ := cfg.proxy(a); p != nil {
			all = append(all, target{name: a, via: p})
		}
	}
	return all
}

// resolve finds the addresses of all names at the same time; what could not be resolved is a failure. Order follows Addrs, and within
// a name IPv6 and IPv4 take turns.
func (cfg *DialConfig) resolve(ctx context.Context) (targets []target, failures []failure) {
	var proxied []target
	ctx, cancel := context.WithTimeoutCause(ctx, lookupTime, errors.New("the name was not resolved in time"))
	defer cancel()
	type answer struct {
		at      int
		targets []target
		err     error
	}
	all := cfg.lookups()
	answers := make(chan answer, len(all))
	for i, t := range all {
		go func() { // ends with the context at the latest, for resolvers that heed it
			t, err := cfg.lookup(ctx, t)
			answers <- answer{i, t, err}
		}()
	}
	found := make([]answer, len(all))
	for i := range found {
		found[i].err = context.DeadlineExceeded
	}
	var rest, patient <-chan time.Time
	for range all {
		select {
		case a := <-answers:
			found[a.at] = a
			switch {
			case a.err != nil:
			case all[a.at].via == nil:
				rest = cmp.Or(rest, time.After(lookupRest))
			case patient == nil:
				patient = time.After(lookupProxied)
			}
			continue
		case <-rest:
		case <-patient:
		case <-ctx.Done():
		}
		break
	}
	for i, a := range found {
		if a.err != nil {
			failures = append(failures, all[i].unresolved(a.err))
		}
		if all[i].via != nil {
			proxied = append(proxied, a.targets...)
		} else {
			targets = append(targets, a.targets...)
		}
	}
	return append(targets[:min(len(targets), maxTargets)], proxied[:min(len(proxied), maxProxied)]...), failures
}

// unresolved is what one says of a name that has no address.
func (t target) unresolved(err error) failure {
	if t.via != nil {
		return failure{"", "proxy " + t.via.at(), &ProxyError{t.via.at(), err}}
	}
	return failure{"", t.name, err}
}

func (cfg *DialConfig) lookup(ctx context.Context, t target) ([]target, error) {
	host, port, err := parse(t.name)
	if err != nil {
		return nil, err
	}
	t.host = host
	if t.via != nil {
		if host, port, err = parse(t.via.at()); err != nil {
			return nil, err
		}
	}
	addrs := []netip.Addr{}
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, a)
	} else if addrs, err = cfg.Lookup(ctx, host); err != nil {
		return nil, err
	}
	var targets []target
	for _, a := range takeTurns(addrs) {
		t.to = netip.AddrPortFrom(a, port)
		targets = append(targets, t)
	}
	if len(targets) == 0 {
		return nil, errors.New("the name has no address")
	}
	return targets, nil
}

// parse takes host:port apart.
func parse(name string) (host string, port uint16, err error) {
	host, p, err := net.SplitHostPort(name)
	if err != nil {
		return "", 0, errors.New("not of the form host:port")
	}
	n, err := strconv.ParseUint(p, 10, 16)
	if err != nil || n == 0 {
		return "", 0, errors.New("the port is not a number from 1 to 65535")
	}
	return host, uint16(n), nil
}

// takeTurns orders addresses IPv6, IPv4, IPv6, …, each family in the order given.
func takeTurns(addrs []netip.Addr) []netip.Addr {
	var six, four, out []netip.Addr
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() {
			four = append(four, a)
		} else {
			six = append(six, a)
		}
	}
	for len(six) > 0 || len(four) > 0 {
		if len(six) > 0 {
			out, six = append(out, six[0]), six[1:]
		}
		if len(four) > 0 {
			out, four = append(out, four[0]), four[1:]
		}
	}
	return out
}
