package netcheck

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	core "github.com/cvlan/cvlan/internal/core/netcheck"
	coremap "github.com/cvlan/cvlan/internal/core/portmap"
	"github.com/cvlan/cvlan/internal/core/stun"
	"github.com/cvlan/cvlan/internal/sim/netsim"
	"github.com/cvlan/cvlan/internal/sys/portmap"
)

type report struct{ core.Report }

func (r report) says(words string) bool {
	return strings.Contains(strings.Join(r.Meaning, "\n"), words)
}

func TestEveryKindOfNATIsTold(t *testing.T) {
	for kind, want := range map[string]struct {
		mapping   core.Mapping
		filtering stun.Filtering
		hairpin   core.Answer
		kept      core.Answer
	}{
		"none":             {core.MappingNone, stun.FilteringAddress, core.Needless, core.Yes},
		"fw":               {core.MappingNone, stun.FilteringPort, core.Needless, core.Yes},
		"fullcone":         {core.MappingIndependent, stun.FilteringAddress, core.No, core.Yes},
		"fullcone+hairpin": {core.MappingIndependent, stun.FilteringAddress, core.Yes, core.Yes},
		"addr":             {core.MappingIndependent, stun.FilteringAddress, core.No, core.Yes},
		"port":             {core.MappingIndependent, stun.FilteringPort, core.No, core.Yes},
		"port+hairpin":     {core.MappingIndependent, stun.FilteringPort, core.Yes, core.Yes},
		"port+rand":        {core.MappingIndependent, stun.FilteringPort, core.No, core.No},
		"symaddr":          {core.MappingPort, stun.FilteringAddress, core.No, core.No},
		"sym":              {core.MappingPort, stun.FilteringPort, core.No, core.No},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := newInternet(t, kind)
			defer n.close()
			r := n.check()
			if !r.IPv4.UDP || r.IPv6.UDP || r.IPv4.Mapping != want.mapping || r.IPv4.Filtering != want.filtering || r.Hairpin != want.hairpin || r.IPv4.KeptPort != want.kept {
				t.Errorf("%s: mapping %v, filtering %v, hairpin %v, kept %v; %q", kind, r.IPv4.Mapping, r.IPv4.Filtering, r.Hairpin, r.IPv4.KeptPort, r.Meaning)
			}
			if a := r.Relays[0]; a.Name != "fra-1" || a.UDP != 20*time.Millisecond || a.TLS == 0 || a.MTU != 1500 {
				t.Errorf("%s: %+v", kind, r.Relays)
			}
			if r.Took > 2*time.Second {
				t.Errorf("%s: took %v", kind, r.Took)
			}
		})
	}
}

func TestNoUDP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t, "noudp")
		defer n.close()
		r := n.check()
		if r.IPv4.UDP || r.Relays[0].TLS == 0 || !r.says("over TLS, which works") || r.Took > Limit {
			t.Errorf("%+v", r)
		}
	})
}

func TestNothingPassesAtAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t, "port")
		defer n.close()
		for _, r := range n.cfg.Relays {
			n.Cut(n.router.Outside(), netip.MustParseAddr(r.Hosts[0]), true)
		}
		begun := time.Now()
		r := n.check()
		if took := time.Since(begun); took > Limit || !r.says("No relay answers") || r.Relays[0].Problem == "" {
			t.Errorf("after %v: %+v", took, r)
		}
	})
}

func TestLossyLineIsStillTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t, "port")
		defer n.close()
		for i, r := range n.cfg.Relays {
			n.Line(n.router.Outside(), netip.MustParseAddr(r.Hosts[0]), netsim.Conditions{Latency: time.Duration(10+i) * time.Millisecond, Loss: 0.2})
		}
		if r := n.check(); r.IPv4.Mapping != core.MappingIndependent || r.Took > Limit {
			t.Errorf("%+v", r)
		}
	})
}

func TestNarrowPathIsMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t, "port")
		defer n.close()
		n.cfg.Open = n.open(1430)
		if r := n.check(); r.Relays[0].MTU != 1420 {
			t.Errorf("%+v", r.Relays)
		}
		n.cfg.PathMTU = func(netip.Addr) (int, error) { return 1300, nil }
		if r := n.check(); r.Relays[0].MTU != 1300 || !r.says("only 1300 bytes") {
			t.Errorf("what the system knows: %+v", r.Relays)
		}
		n.cfg.PathMTU = func(netip.Addr) (int, error) { return 0, errors.New("not known here") }
		if r := n.check(); r.Relays[0].MTU != 0 {
			t.Errorf("a system that may cut packets: %+v", r.Relays)
		}
	})
}

func TestGatewayAndControllerAreAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t, "sym")
		defer n.close()
		gw := portmap.NewMemory()
		gw.PCP, gw.UPnP = true, true
		n.cfg.Gateway = func(ctx context.Context) portmap.State { return portmap.Look(ctx, gw) }
		n.cfg.Gateway6 = n.cfg.Gateway
		n.cfg.Clock = func(context.Context) (time.Duration, error) { return -2 * time.Minute, nil }
		r := n.check()
		if !r.Gateway.Pinholes || !slices.Equal(r.Gateway.Protocols, []string{coremap.PCP.String(), coremap.UPnP.String()}) || r.DoubleNAT || !r.says("off by 2m:") || !r.says("on request") {
			t.Errorf("%+v", r)
		}
	})
}

// Where nothing passes but a proxy that is what is told, with its name; where the direct way is open the proxy is no news.
func TestAProxyIsToldWhereNothingElsePasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t, "port")
		defer n.close()
		direct := n.cfg.Dial
		n.cfg.Detour = func(ctx context.Context, r Relay) (net.Conn, string, error) {
			c, err := direct(ctx, netip.AddrPortFrom(netip.MustParseAddr(r.Hosts[0]), r.Port))
			return c, "proxy.example.com:3128", err
		}
		if r := n.check(); r.Relays[0].TLS == 0 || r.Relays[0].Proxy != "" {
			t.Errorf("with an open way: %+v", r.Relays)
		}
		n.cfg.Dial = func(ctx context.Context, _ netip.AddrPort) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
		if r := n.check(); r.Relays[0].TLS == 0 || r.Relays[0].Proxy != "proxy.example.com:3128" || r.Relays[0].Problem != "" {
			t.Errorf("with the proxy alone: %+v", r.Relays)
		}
		n.cfg.Detour = func(context.Context, Relay) (net.Conn, string, error) {
			return nil, "proxy.example.com:3128", errors.New("it answers 407")
		}
		if r := n.check(); r.Relays[0].TLS != 0 || r.Relays[0].Problem != "TLS gets no answer; through the proxy proxy.example.com:3128: it answers 407" {
			t.Errorf("with a proxy that refuses: %+v", r.Relays)
		}
	})
}

func TestAMachineWithoutANetworkIsToldSoPlainly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t, "port")
		defer n.close()
		n.cfg.Dial = func(context.Context, netip.AddrPort) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}
		}
		if r := n.check(); r.Relays[0].Problem != "network is unreachable" {
			t.Errorf("%+v", r.Relays)
		}
	})
}

// A relay's certificate that has ended by our clock is no login page.
func TestAnEndedCertificateIsNoStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t, "port")
		defer n.close()
		n.cfg.Secure = func(context.Context, Relay, net.Conn) error { return fmt.Errorf("%w: on 2027-01-26", ErrEnded) }
		if r := n.check(); r.Captive || !r.Relays[0].Ended || !r.says("is it right?") || r.says("login page") {
			t.Errorf("%+v", r)
		}
	})
}

// A machine without IPv4 reaches a relay by its other address, and one without IPv6 does not take it for broken.
func TestOneFamilyIsEnoughForTLS(t *testing.T) {
	for _, broken := range []string{"4", "6"} {
		synctest.Test(t, func(t *testing.T) {
			n := newInternet(t, "port")
			defer n.close()
			four := netip.MustParseAddr(n.cfg.Relays[0].Hosts[0])
			n.cfg.Relays = n.cfg.Relays[:1]
			n.cfg.Relays[0].Hosts = []string{four.String(), "2001:db8::1"}
			n.cfg.Dial = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
				if to.Addr().Is4() == (broken == "4") {
					return nil, errors.New("network is unreachable")
				}
				return n.host.Dial(ctx, netip.AddrPortFrom(four, to.Port()))
			}
			if r := n.check(); r.Relays[0].TLS != 20*time.Millisecond || r.Relays[0].Problem != "" {
				t.Errorf("without IPv%s: %+v", broken, r.Relays)
			}
			n.cfg.Dial = func(context.Context, netip.AddrPort) (net.Conn, error) {
				return nil, errors.New("network is unreachable")
			}
			if r := n.check(); r.Relays[0].TLS != 0 || r.Relays[0].Problem != "network is unreachable" {
				t.Errorf("without both: %+v", r.Relays)
			}
		})
	}
}

// Of a family in which no relay has an address nothing is known.
func TestNobodyIsAskedOverAFamilyThatNoRelayHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t, "noudp")
		defer n.close()
		if r := n.check(); !r.IPv4.Asked || r.IPv6.Asked {
			t.Errorf("%+v", r)
		}
	})
}

func TestLoginPageIsGuessed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t, "noudp")
		defer n.close()
		n.cfg.Secure = func(context.Context, Relay, net.Conn) error { return ErrForeign }
		if r := n.check(); !r.Captive || !r.says("login page") {
			t.Errorf("%+v", r)
		}
	})
}

func TestNamesAreResolved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t, "port")
		defer n.close()
		at := netip.MustParseAddr(n.cfg.Relays[0].Hosts[0])
		n.cfg.Relays[0].Hosts, n.cfg.Relays[1].Hosts = []string{"fra.example"}, []string{"nyc.example"}
		n.cfg.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			if host == "fra.example" {
				return []netip.Addr{at}, nil
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}
		r := n.check()
		if r.Relays[0].UDP == 0 || r.Relays[1].Problem != "its name is not found: DNS gets no answer" || r.says("not found") {
			t.Errorf("%+v", r.Relays)
		}
		n.cfg.Resolve = func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no such host") }
		if r := n.check(); r.Relays[0].Problem != "its name is not found: no such host" || !r.says("names are not found") {
			t.Errorf("no name is found: %q, %+v", r.Meaning, r.Relays)
		}
	})
}

func TestWithoutRelaysThereIsLittleToSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t, "port")
		defer n.close()
		n.cfg.Relays = nil
		if r := n.check(); !r.says("No relay is known yet") || r.Took != 0 {
			t.Errorf("%+v", r)
		}
	})
}
