package stream

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const proxyPort = 3128

// office is a network that lets nothing out but what its HTTP proxy passes on for who knows the password.
type office struct {
	*simulated
	asked []string // whom the proxy was to connect to
}

func (s *simulated) office(t *testing.T) *office {
	o := &office{simulated: s}
	s.noUDP = true
	l, err := s.net.Host(other).Listen(proxyPort)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go o.serve(c)
		}
	}()
	return o
}

func (o *office) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	q, err := http.ReadRequest(r)
	if err != nil {
		return
	}
	o.asked = append(o.asked, q.Method+" "+q.Host)
	if q.Header.Get("Proxy-Authorization") != "Basic ZXZhOnNlY3JldA==" {
		_, _ = io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
		return
	}
	there, err := o.net.Host(other).Dial(context.Background(), quicAddr)
	if err != nil {
		return
	}
	defer there.Close()
	_, _ = io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(there, r)
		there.Close()
	}()
	_, _ = io.Copy(c, there)
	c.Close()
	<-done
}

// config dials a controller by a name that only the proxy can resolve; nothing but the proxy is reached.
func (o *office) config(proxy string) DialConfig {
	cfg := o.simulated.config()
	cfg.Addrs = []string{"vpn.example.com:8443"}
	cfg.Proxy = func(*url.URL) (*url.URL, error) { return url.Parse(proxy) }
	cfg.Lookup = func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{right}, nil }
	cfg.DialTCP = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
		if to.Addr() != other {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return o.node.Dial(ctx, to)
	}
	return cfg
}

func TestAControllerIsReachedThroughAProxyWhereNothingElsePasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t)
		o := s.office(t)
		defer s.controller(t, right, echo)()
		var memory Recent
		cfg := o.config("http://eva:secret@198.51.100.3:3128")
		cfg.Memory, cfg.Attachment = &memory, "office"
		start := time.Now()
		c := dial(t, cfg)
		if i := c.Info(); i.Transport != TCP || i.Proxy != "198.51.100.3:3128" || i.Remote.IsValid() || o.asked[0] != "CONNECT vpn.example.com:8443" {
			t.Error(i, o.asked)
		}
		if took := time.Since(start); took > 2*stagger+300*time.Millisecond {
			t.Error("it took", took)
		}
		exchange(t, c, 1)
		c.Close()

		start = time.Now()
		c = dial(t, cfg)
		if took := time.Since(start); c.Info().Proxy == "" || took > 300*time.Millisecond {
			t.Error("not remembered:", c.Info(), took)
		}
		c.Close()
	})
}

// The proxy of an office finds names that its machines cannot.
func TestAProxyFindsTheName(t *testing.T) {
	for what, dns := range map[string]func(context.Context, string) ([]netip.Addr, error){
		"refuses": func(context.Context, string) ([]netip.Addr, error) { return nil, &net.DNSError{IsNotFound: true} },
		"is dead": func(ctx context.Context, _ string) ([]netip.Addr, error) { <-ctx.Done(); return nil, ctx.Err() },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := simulate(t)
				o := s.office(t)
				defer s.controller(t, right, echo)()
				cfg := o.config("http://eva:secret@198.51.100.3:3128")
				cfg.Lookup = dns
				start := time.Now()
				c := dial(t, cfg)
				if took := time.Since(start); took > lookupProxied+300*time.Millisecond {
					t.Error("it took", took)
				}
				c.Close()
			})
		})
	}
}

func TestAProxyIsLeftAloneWhereTheDirectWayIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t)
		o := s.office(t)
		s.noUDP = false
		defer s.controller(t, right, echo)()
		c := dial(t, o.config("http://eva:secret@198.51.100.3:3128"))
		if i := c.Info(); i.Transport != QUIC || i.Proxy != "" || len(o.asked) > 0 {
			t.Error(i, o.asked)
		}
		c.Close()
	})
}

// One that never answers, and one that is spoken to otherwise than we can, are told as what they are.
func TestAProxyThatIsNoneIsNamedSo(t *testing.T) {
	// In which order those are named who have not answered is chance.
	for proxy, want := range map[string]string{
		"http://eva:hunter2@198.51.100.77:3128":  "tcp through the proxy 198.51.100.77:3128",
		"socks5://eva:hunter2@198.51.100.3:1080": "HTTPS_PROXY: it names a proxy of the kind socks5; http and https are known",
	} {
		synctest.Test(t, func(t *testing.T) {
			s := simulate(t)
			o := s.office(t)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			cfg := o.config(proxy)
			dial := cfg.DialTCP
			cfg.DialTCP = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
				if to.Addr() == netip.MustParseAddr("198.51.100.77") {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return dial(ctx, to)
			}
			_, err := Dial(ctx, cfg)
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "; does the proxy run, and is HTTPS_PROXY right?") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v\nwant %s", err, want)
			}
		})
	}
}

func TestAProxyThatRefusesIsNamedWithoutThePassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t)
		o := s.office(t)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err := Dial(ctx, o.config("http://eva:hunter2@198.51.100.3:3128"))
		if _, named := errors.AsType[*ProxyError](err); !named || strings.Contains(err.Error(), "hunter2") ||
			!strings.Contains(err.Error(), `tcp through the proxy 198.51.100.3:3128: it answers "HTTP/1.1 407 Proxy Authentication Required"`) ||
			!strings.HasSuffix(err.Error(), "are the name and password in HTTPS_PROXY right?") {
			t.Error(err)
		}
	})
}
