package daemon

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/certtest"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/internal/base/trust/trusttest"
	core "github.com/cvlan/cvlan/internal/core/netcheck"
	"github.com/cvlan/cvlan/internal/node/netcheck"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/relay"
)

func TestRelaysOfTheMapAreChecked(t *testing.T) {
	got, ok := toCheck(control.Relay{Name: "fra-1", Region: "eu", STUN: 3478, Addresses: []string{"fra.example:443", "192.0.2.1:443", "[2001:db8::1]:443", "192.0.2.1:8443"}}, 3)
	if !ok || got.Port != 443 || got.STUN != 3478 || got.Number != 3 || !slices.Equal(got.Hosts, []string{"fra.example", "192.0.2.1", "2001:db8::1"}) {
		t.Fatalf("%+v", got)
	}
	if got, ok := toCheck(control.Relay{Name: "new"}, 4); ok {
		t.Errorf("one that has not joined yet: %+v", got)
	}
}

func TestWhoAnswersInARelaysPlaceIsForeign(t *testing.T) {
	stranger := *certtest.New(func(*x509.Certificate) {}).TLS()
	for name, serve := range map[string]func(net.Conn){
		"a web server": func(c net.Conn) {
			c.Read(make([]byte, 16<<10))
			c.Write([]byte("HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\n\r\n"))
		},
		"another certificate": func(c net.Conn) {
			tls.Server(c, &tls.Config{Certificates: []tls.Certificate{stranger}, NextProtos: []string{relay.ALPN}}).Handshake()
		},
		"another protocol": func(c net.Conn) {
			tls.Server(c, &tls.Config{Certificates: []tls.Certificate{stranger}, NextProtos: []string{"h2"}}).Handshake()
		},
	} {
		ours, theirs := net.Pipe()
		go func() { serve(theirs); theirs.Close() }()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if err := (knownRelay{}).secure(ctx, ours); !errors.Is(err, netcheck.ErrForeign) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
		ours.Close()
	}
	ours, theirs := net.Pipe()
	go func() { theirs.Read(make([]byte, 1000)); theirs.Close() }()
	if err := (knownRelay{}).secure(t.Context(), ours); err == nil || errors.Is(err, netcheck.ErrForeign) {
		t.Errorf("who hangs up: %v", err)
	}
}

func TestReportIsShownWhole(t *testing.T) {
	out := showCheck(core.Draw(&core.Observed{Clock: time.Second, Lifetime: time.Minute, IPv4: core.Family{Sights: []core.Sight{{}}}, ClockIsKnown: true, Gateway: core.Gateway{Protocols: []string{"PCP"}, Outside: netip.MustParseAddr("203.0.113.5")},
		Relays: []core.Relay{{Name: "fra-1", Region: "eu", UDP: 1, TLS: 2, MTU: 1500}}}))
	if *out.Clock != time.Second || out.Ports.Outside.String() != "203.0.113.5" || out.Relays[0].MTU != 1500 || out.IPv4.Outside == nil || out.IPv4.Lifetime != time.Minute || len(out.Meaning) == 0 {
		t.Fatalf("%+v", out)
	}
	if bare := showCheck(core.Draw(&core.Observed{})); bare.Clock != nil || bare.Relays == nil || bare.Ports.Protocols == nil || bare.Ports.Outside != nil {
		t.Fatalf("%+v", bare)
	}
}

func TestOneCheckAtATime(t *testing.T) {
	d := &Daemon{}
	d.cfg.Check.Open = func() (sock.Socket, error) { return nil, errors.New("none") }
	d.cfg.Check.Own = func() []netip.Addr { return nil }
	if _, err := d.NetCheck(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.checking.Lock()
	if _, err := d.NetCheck(t.Context()); err == nil {
		t.Fatal("two at once")
	}
}

func TestARelayWhoseCertificateHasEndedIsNoStranger(t *testing.T) {
	root, id := trusttest.Root(), ident.Relay(1)
	as := func(end time.Time) []*x509.Certificate {
		p := root.MintUntil(trust.Name{Domain: trusttest.Domain, Role: trust.RoleRelay, Relay: id}, end)
		return []*x509.Certificate{p.Cert, root.Cert}
	}
	k := knownRelay{id: id, pin: root.Pin()}
	if err := k.verify(as(time.Now().Add(time.Hour))); err != nil {
		t.Error("a relay:", err)
	}
	ended := as(time.Now().Add(-48 * time.Hour))
	if err := k.verify(ended); !errors.Is(err, netcheck.ErrEnded) || errors.Is(err, netcheck.ErrForeign) {
		t.Error("one whose certificate has ended:", err)
	}
	if err := (knownRelay{id: id}).verify(ended); !errors.Is(err, netcheck.ErrForeign) {
		t.Error("a stranger with a certificate that has ended:", err)
	}
}
