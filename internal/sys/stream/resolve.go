package stream

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"time"
)

const (
	maxTargets = 8
	// lookupTime bounds the wait for the first name; once there is an address, other names get lookupRest.
	lookupTime = 5 * time.Second
	lookupRest = stagger
)

// target is an address to try, and what it came from.
type target struct {
	name string // as given
	host string
	to   netip.AddrPort
}

// String names the target for people: the name too, if it is not the address itself.
func (t target) String() string {
	if a := t.to.String(); a != t.name {
		return t.name + " (" + a + ")"
	}
	return t.name
}

// resolve finds the addresses of all names at the same time; what could not be resolved is a failure. Order follows Addrs, and within
// a name IPv6 and IPv4 take turns.
func (cfg *DialConfig) resolve(ctx context.Context) (targets []target, failures []failure) {
	ctx, cancel := context.WithTimeoutCause(ctx, lookupTime, errors.New("the name was not resolved in time"))
	defer cancel()
	type answer struct {
		at      int
		targets []target
		err     error
	}
	answers := make(chan answer, len(cfg.Addrs))
	for i, name := range cfg.Addrs {
		go func() { // ends with the context at the latest, for resolvers that heed it
			t, err := cfg.lookup(ctx, name)
			answers <- answer{i, t, err}
		}()
	}
	found := make([]answer, len(cfg.Addrs))
	for i := range found {
		found[i].err = context.DeadlineExceeded
	}
	var rest <-chan time.Time
	for range cfg.Addrs {
		select {
		case a := <-answers:
			found[a.at] = a
			if a.err == nil && rest == nil {
				rest = time.After(lookupRest)
			}
			continue
		case <-rest:
		case <-ctx.Done():
		}
		break
	}
	for i, a := range found {
		if a.err != nil {
			failures = append(failures, failure{"", cfg.Addrs[i], a.err})
		}
		targets = append(targets, a.targets...)
	}
	return targets[:min(len(targets), maxTargets)], failures
}

func (cfg *DialConfig) lookup(ctx context.Context, name string) ([]target, error) {
	host, p, err := net.SplitHostPort(name)
	if err != nil {
		return nil, errors.New("not of the form host:port")
	}
	port, err := strconv.ParseUint(p, 10, 16)
	if err != nil || port == 0 {
		return nil, errors.New("the port is not a number from 1 to 65535")
	}
	addrs := []netip.Addr{}
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, a)
	} else if addrs, err = cfg.Lookup(ctx, host); err != nil {
		return nil, err
	}
	var targets []target
	for _, a := range takeTurns(addrs) {
		targets = append(targets, target{name, host, netip.AddrPortFrom(a, uint16(port))})
	}
	if len(targets) == 0 {
		return nil, errors.New("the name has no address")
	}
	return targets, nil
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
