package stream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/internal/base/trust/trusttest"
)

func TestOnlyTheControllerIsTheController(t *testing.T) {
	r := theRealm()
	other := trusttest.Root()
	for name, c := range map[string]struct {
		poser *trusttest.Party
		want  error
	}{
		"a node":                    {r.node, trust.ErrPin},
		"a relay":                   {r.relay, trust.ErrRole},
		"another authority's":       {other.Mint(trust.ControllerName(trusttest.Domain, 3)), trust.ErrPin},
		"a tenant's own controller": {r.inter7.Mint(trust.ControllerName(trusttest.Domain, 3)), trust.ErrPin},
		"an expired one":            {r.root.MintUntil(trust.ControllerName(trusttest.Domain, 3), time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)), trust.ErrExpired},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, transport Transport) {
				at := serve(t, ListenConfig{TLS: r.serverTLS(c.poser)}, func(_ context.Context, s Stream) {
					if _, err := s.Recv(); err == nil {
						t.Error("the node speaks to it")
					}
				})
				s, err := tryDial(t, DialConfig{Addrs: []string{at.String()}, Transport: transport})
				if !errors.Is(err, c.want) {
					t.Fatal(s, err)
				}
				if strings.Contains(err.Error(), "firewall") || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "CRYPTO") {
					t.Error("not a line for a person:", err)
				}
			})
		})
	}
}

func TestNodesThatAreNoneAreRefused(t *testing.T) {
	r := theRealm()
	for name, poser := range map[string]*trusttest.Party{
		"tenant 7's authority naming tenant 8": r.inter7.Mint(trust.NodeName(trusttest.Domain, 8, 9)),
		"a relay":                              r.relay,
		"expired":                              r.inter7.MintUntil(trust.NodeName(trusttest.Domain, 7, 9), time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)),
		"of another authority":                 trusttest.Root().Mint(trust.TenantName(trusttest.Domain, 7)).Mint(trust.NodeName(trusttest.Domain, 7, 9)),
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, transport Transport) {
				at := serve(t, ListenConfig{}, func(_ context.Context, s Stream) { t.Error("the controller serves", s.Info()) })
				s, err := tryDial(t, DialConfig{Addrs: []string{at.String()}, Transport: transport, TLS: r.clientTLS(poser)})
				if err == nil { // TLS 1.3: the client hears only afterwards
					defer s.Close()
					s.Send(context.Background(), encode(ping(1)))
					_, err = s.Recv()
				}
				if !errors.Is(err, ErrRefused) {
					t.Error(err)
				}
			})
		})
	}
}

// TestARemovedNodeCannotResume proves that a session ticket does not outlive the permission it was given under.
func TestARemovedNodeCannotResume(t *testing.T) {
	each(t, func(t *testing.T, transport Transport) {
		r := theRealm()
		var removed atomic.Bool
		var asked atomic.Int32
		server := r.serverTLS(r.controller)
		verify := server.Admit
		server.Admit = func(chain []*x509.Certificate) error {
			asked.Add(1)
			if removed.Load() {
				return errors.New("removed")
			}
			return verify(chain)
		}
		at := serve(t, ListenConfig{TLS: server}, echo)
		conf := r.clientTLS(r.node)
		conf.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		var resumed atomic.Bool
		pinned := conf.VerifyConnection
		conf.VerifyConnection = func(cs tls.ConnectionState) error {
			resumed.Store(cs.DidResume)
			return pinned(cs)
		}
		connect := func() Stream {
			return dial(t, DialConfig{Addrs: []string{at.String()}, Transport: transport, TLS: conf})
		}
		first := connect()
		exchange(t, first, 1) // the ticket comes with the first bytes
		first.Close()
		second := connect()
		exchange(t, second, 2)
		if !resumed.Load() || asked.Load() != 2 {
			t.Fatal("resumed:", resumed.Load(), "asked:", asked.Load())
		}
		if c := second.Info().Chain; len(c) != 2 {
			t.Error("a resumed stream does not say who is there")
		}
		second.Close()
		removed.Store(true)
		third, err := tryDial(t, DialConfig{Addrs: []string{at.String()}, Transport: transport, TLS: conf})
		if err == nil {
			defer third.Close()
			third.Send(context.Background(), encode(ping(3)))
			_, err = third.Recv()
		}
		if !errors.Is(err, ErrRefused) {
			t.Error(err)
		}
	})
}

func TestThePostQuantumExchangeIsUsed(t *testing.T) {
	r := theRealm()
	at := serve(t, ListenConfig{}, echo)
	each(t, func(t *testing.T, transport Transport) {
		conf := r.clientTLS(r.node)
		var curve tls.CurveID
		var version uint16
		pinned := conf.VerifyConnection
		conf.VerifyConnection = func(cs tls.ConnectionState) error {
			curve, version = cs.CurveID, cs.Version
			return pinned(cs)
		}
		dial(t, DialConfig{Addrs: []string{at.String()}, Transport: transport, TLS: conf})
		if curve != tls.X25519MLKEM768 || version != tls.VersionTLS13 {
			t.Error(curve, version)
		}
	})
}
