package osnet

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/cvlan/cvlan/internal/base/logx"
)

// Exit is that all traffic of the machine leaves through a membership's interface, but for the daemon's own packets (see internal/sys/mark) and what stays near:
// on the link, on the machine itself, in networks of ours, at the resolvers of local networks.
type Exit struct {
	IPv6 bool // the exit takes IPv6 as well; else nothing of it leaves at all
	LAN  bool // what is for private networks that the machine has an address in goes there
}

// ErrNoExit says that this system cannot send its traffic through an exit.
var ErrNoExit = errors.New("using an exit is possible on Linux only, so far")

// exiting is what an interface's entry says of an exit.
type exiting struct {
	IPv6 bool           `json:"ipv6,omitempty"`
	LAN  bool           `json:"lan,omitempty"`
	Pass []netip.Prefix `json:"pass,omitempty"` // what goes the way that it went before
}

func (x *exiting) equal(o *exiting) bool {
	if x == nil || o == nil {
		return x == o
	}
	return x.IPv6 == o.IPv6 && x.LAN == o.LAN && slices.Equal(x.Pass, o.Pass)
}

// near are ranges that never leave the link: they go where they went before.
var near = []netip.Prefix{
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("224.0.0.0/4"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("ff00::/8"),
}

// exit has an interface's entry say something else of an exit. What outlives the process is in the journal before it is done.
func (s *System) exit(e entry, want *Exit) (entry, error) {
	if want == nil && e.Exit == nil {
		return e, nil
	}
	if want == nil {
		if err := s.endExit(); err != nil {
			return e, err
		}
		e.Exit = nil
		s.warn(s.journal.put(e))
		return e, s.turnBack()
	}
	for _, o := range s.journal.entries {
		if o.Exit != nil && o.Interface != e.Interface {
			return e, fmt.Errorf("all traffic leaves through %s already; switch the exit of that network off", o.Interface)
		}
	}
	pass, err := s.passes(e.Interface, want.LAN)
	if err != nil {
		return e, err
	}
	was := e
	e.Exit = &exiting{IPv6: want.IPv6, LAN: want.LAN, Pass: pass}
	if err := s.journal.put(e); err != nil && was.Exit == nil {
		s.warn(s.journal.put(was))
		return was, fmt.Errorf("keep the journal of network changes: %w; no exit is used without it", err)
	} else if err != nil { // the disk knows of an exit, which is enough to undo it
		s.warn(err)
	}
	if err = s.turn(); err == nil {
		err = openExit(e.Interface, *e.Exit)
	}
	if err == nil || was.Exit != nil {
		return e, err
	}
	off, fault := s.exit(e, nil)
	return off, errors.Join(err, fault)
}

// repass looks anew at what does not go through an exit, after another interface than that has changed, or past a hold.
func (s *System) repass(iface string) error {
	if _, used := s.exits(); !used && s.journal.held != nil {
		if err := s.shut(s.journal.held.LAN); err != nil {
			s.log.Warn("what may leave past a hold is not looked at anew", logx.Interface, iface, logx.Err, err)
		}
		return nil
	}
	for _, e := range s.journal.entries {
		if e.Exit != nil && e.Interface != iface {
			if _, err := s.exit(e, &Exit{IPv6: e.Exit.IPv6, LAN: e.Exit.LAN}); err != nil {
				return fmt.Errorf("keep the exit by %s: %w", e.Interface, err)
			}
			return nil
		}
	}
	return nil
}

// passes are the ranges that do not go through an exit by an interface, or past a hold: in order, none inside another.
func (s *System) passes(iface string, lan bool) ([]netip.Prefix, error) {
	all := slices.Clone(near)
	var ours []string
	for _, e := range s.journal.entries {
		if ours = append(ours, e.Interface); e.Interface != iface {
			for _, p := range slices.Concat(e.Addresses, e.Routes) {
				all = append(all, p.Masked())
			}
		}
		if e.Serving != nil {
			all = append(all, e.Serving.To...)
		}
	}
	local, err := localCandidates()
	if err != nil {
		return nil, fmt.Errorf("list the host's networks: %w", err)
	}
	resolvers := resolvers()
	for _, c := range local {
		p := netip.PrefixFrom(c.addr, c.bits).Masked()
		if !p.IsValid() || slices.Contains(ours, c.iface) || !private(p) {
			continue
		}
		if lan || c.virtual && !c.onDefault { // of containers and virtual machines
			all = append(all, p)
			continue
		}
		for _, r := range resolvers {
			if p.Contains(r) {
				all = append(all, netip.PrefixFrom(r, r.BitLen()))
			}
		}
	}
	return outermost(all), nil
}

// private reports whether a whole network is of addresses that nobody has on the internet (RFC 1918, RFC 6598, RFC 4193). A network that says to be
// another is not believed: else any access point could draw traffic to itself by calling the internet its own.
func private(p netip.Prefix) bool {
	return slices.ContainsFunc(privates, func(x netip.Prefix) bool { return x.Bits() <= p.Bits() && x.Contains(p.Addr()) })
}

var privates = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("fc00::/7"),
}

// outermost puts ranges in order and leaves out those inside others, and those of no bits.
func outermost(all []netip.Prefix) (out []netip.Prefix) {
	slices.SortFunc(all, func(a, b netip.Prefix) int {
		if c := a.Addr().Compare(b.Addr()); c != 0 {
			return c
		}
		return a.Bits() - b.Bits()
	})
	for _, p := range all {
		if p.Bits() > 0 && (len(out) == 0 || !out[len(out)-1].Overlaps(p)) {
			out = append(out, p)
		}
	}
	return out
}
