package netcheck

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	core "github.com/cvlan/cvlan/internal/core/netcheck"
	"github.com/cvlan/cvlan/internal/core/stun"
	"github.com/cvlan/cvlan/internal/sys/portmap"
	"github.com/cvlan/cvlan/internal/sys/sock"
)

// Limit is how long a check takes at most; MaxRelays how many relays it asks, in the order in which they are given.
const (
	Limit     = 3 * time.Second
	MaxRelays = 16
)

// Relay is a relay to ask.
type Relay struct {
	Name, Region string
	Hosts        []string // names or addresses
	Port         uint16   // of UDP and TLS, the main port
	STUN         uint16   // of STUN; 0: only at the main port
	Number       int      // the caller's own, for Secure
}

// ErrForeign is the error of Config.Secure when somebody else than the relay answers.
var ErrForeign = errors.New("somebody else answers in the relay's place")

// ErrEnded is the error of Config.Secure when it is the relay that answers, and its certificate has ended by this machine's clock.
var ErrEnded = errors.New("its certificate has ended by this machine's clock")

// Config is the machine that is checked, and what of the network is known. Relays, Open and Dial are needed.
type Config struct {
	Relays []Relay
	// Open opens a UDP socket on any port.
	Open func() (sock.Socket, error)
	// Dial opens a TCP stream. Its duration counts as the relay's round trip.
	Dial func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	// Detour opens a stream to a relay through an HTTP proxy, and says which, host:port; "": there is none for it. nil: there is none at all.
	Detour func(ctx context.Context, r Relay) (c net.Conn, proxy string, err error)
	// Secure does TLS on a stream and makes sure that it is the relay that answers; nil: that is not checked.
	Secure func(ctx context.Context, r Relay, c net.Conn) error
	// Resolve finds the addresses of a name; nil: only addresses are known.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// Own are this machine's addresses; nil: not known.
	Own func() []netip.Addr
	// Gateway says what the router speaks, and may ask it; Gateway6 says it of that for IPv6. nil: not known.
	Gateway, Gateway6 func(context.Context) portmap.State
	// Clock tells the controller's clock less ours; nil: not known.
	Clock func(context.Context) (time.Duration, error)
	// Lifetime is for how long idle mappings of IPv4 are kept at least, which takes longer to find out than a check may; 0: not known.
	Lifetime time.Duration
	// PathMTU is what the system knows a path to carry (sock.PathMTU); where it knows nothing the size is not told, because the system
	// may have cut the questions. nil: the sockets never cut.
	PathMTU func(netip.Addr) (int, error)
}

// check is one run.
type check struct {
	cfg   *Config
	clock mono.Clock

	mu     sync.Mutex
	seen   core.Observed
	places []place // of relays, by their number
}

// place is where a relay is.
type place struct{ four, six netip.Addr }

// Run checks the network. It returns when all is known, at Limit, or when ctx ends.
func Run(ctx context.Context, cfg *Config) core.Report {
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	begun := time.Now()
	c := &check{cfg: cfg, clock: mono.NewClock(), seen: core.Observed{Lifetime: cfg.Lifetime}}
	relays := cfg.Relays[:min(len(cfg.Relays), MaxRelays)]
	for _, r := range relays {
		c.seen.Relays = append(c.seen.Relays, core.Relay{Name: r.Name, Region: r.Region})
	}
	if cfg.Own != nil {
		c.seen.Own = cfg.Own()
	}
	var all sync.WaitGroup
	if cfg.Gateway != nil {
		all.Go(func() { c.gateway(ctx) })
	}
	if cfg.Gateway6 != nil {
		all.Go(func() { c.pinholes(ctx) })
	}
	if cfg.Clock != nil {
		all.Go(func() { c.time(ctx) })
	}
	all.Go(func() {
		c.find(ctx, relays)
		c.ask(ctx, relays)
	})
	all.Wait()
	c.seen.Took = time.Since(begun)
	return core.Draw(&c.seen)
}

// note changes what has been observed.
func (c *check) note(f func(*core.Observed)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.seen)
}

func (c *check) gateway(ctx context.Context) {
	s := c.cfg.Gateway(ctx)
	c.note(func(o *core.Observed) {
		o.Gateway.Outside, o.Gateway.External = s.Outside, s.Mapping.External
		for _, p := range s.Found {
			o.Gateway.Protocols = append(o.Gateway.Protocols, p.String())
		}
	})
}

func (c *check) pinholes(ctx context.Context) {
	s := c.cfg.Gateway6(ctx)
	c.note(func(o *core.Observed) { o.Gateway.Pinholes = len(s.Found) > 0 })
}

func (c *check) time(ctx context.Context) {
	if d, err := c.cfg.Clock(ctx); err == nil {
		c.note(func(o *core.Observed) { o.Clock, o.ClockIsKnown = d, true })
	}
}

// find resolves the relays' names, one address a family.
func (c *check) find(ctx context.Context, relays []Relay) {
	c.places = make([]place, len(relays))
	var all sync.WaitGroup
	for i, r := range relays {
		all.Go(func() {
			var why error
			for _, host := range r.Hosts {
				found, err := c.resolve(ctx, host)
				why = cmp.Or(why, err)
				for _, a := range found {
					p := &c.places[i]
					if a = a.Unmap(); a.Is4() && !p.four.IsValid() {
						p.four = a
					} else if a.Is6() && !p.six.IsValid() {
						p.six = a
					}
				}
			}
			if !c.places[i].four.IsValid() && !c.places[i].six.IsValid() {
				c.note(func(o *core.Observed) { o.Relays[i].Nameless, o.Relays[i].Problem = true, nameless(why) })
			}
		})
	}
	all.Wait()
}

// nameless says why a relay's name leads to no address.
func nameless(why error) string {
	switch {
	case why == nil:
		return "its name has no address"
	case errors.Is(why, context.DeadlineExceeded):
		return "its name is not found: DNS gets no answer"
	}
	return fmt.Sprintf("its name is not found: %v", why)
}

func (c *check) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	if c.cfg.Resolve == nil {
		return nil, nil
	}
	const patience = time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.cfg.Resolve(ctx, host)
}

// ask asks everything that relays can tell, at once.
func (c *check) ask(ctx context.Context, relays []Relay) {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { c.latency(ctx, relays) })
	for i, r := range relays {
		all.Go(func() { c.stream(ctx, i, r) })
	}
	for _, four := range []bool{true, false} {
		servers := c.servers(relays, four)
		c.note(func(o *core.Observed) { family(o, four).Asked = len(servers) > 0 })
		for _, s := range servers[:min(len(servers), filters)] {
			all.Go(func() { c.filtering(ctx, s, four) })
		}
		if four && len(servers) > 0 {
			all.Go(func() { c.hairpin(ctx, servers[:min(len(servers), hairpinServers)]) })
		}
	}
}

// filters is how many relays are asked how the NAT filters, a family: not every relay has a second port to answer from.
const filters = 2

// family picks what was observed of one.
func family(o *core.Observed, four bool) *core.Family {
	if four {
		return &o.IPv4
	}
	return &o.IPv6
}

// servers are the STUN addresses of relays in one family, one each.
func (c *check) servers(relays []Relay, four bool) (all []netip.AddrPort) {
	for i, r := range relays {
		a, port := c.places[i].six, r.STUN
		if four {
			a = c.places[i].four
		}
		if port == 0 {
			port = r.Port
		}
		if a.IsValid() && port != 0 {
			all = append(all, netip.AddrPortFrom(a, port))
		}
	}
	return all
}

func (c *check) filtering(ctx context.Context, server netip.AddrPort, four bool) {
	f := stun.NewFilter(server, rand.Reader)
	w, err := c.listen(ctx)
	if err != nil {
		return
	}
	defer w.close()
	if f.Start(c.clock.Now(), &w.out) != nil || !w.drive(f) {
		return
	}
	if got := f.Filtering(); got != stun.FilteringUnknown {
		c.note(func(o *core.Observed) {
			if at := &family(o, four).Filtering; *at == stun.FilteringUnknown || got < *at { // one that got through proves that the NAT lets it
				*at = got
			}
		})
	}
}
