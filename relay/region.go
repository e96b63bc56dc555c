package relay

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/relay"
)

// AdmitRelay implements server.Region.
func (r *Relay) AdmitRelay(c *x509.Certificate) (ident.Relay, time.Time, error) {
	if l := r.list.Load(); l != nil {
		return l.AdmitRelay(c)
	}
	return 0, time.Time{}, errors.New("the relay has not joined yet")
}

// Register implements server.Region: over TLS and TCP, to any of the addresses that the controller has told. UDP goes to the one that answered.
func (r *Relay) Register(ctx context.Context, id ident.Relay) (w relay.Welcome, at netip.AddrPort, err error) {
	addrs := r.addressesOf(id)
	if len(addrs) == 0 {
		return w, at, errors.New("no address is known")
	}
	visit := r.cfg.Visit
	if visit == nil {
		visit = stream.DialConn
	}
	c, err := visit(ctx, stream.DialConfig{Whom: "relay", Addrs: addrs, TLS: r.tlsTo(id), Transport: stream.TCP})
	if err != nil {
		return w, at, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	hello, err := relay.Introduce(r.cert.Load(), c.ExportKeyingMaterial)
	if err == nil {
		_, err = c.Write(hello)
	}
	if err == nil {
		w, err = welcomed(c)
	}
	if err == nil && w.Reason != relay.NoReason {
		err = fmt.Errorf("it refuses: %v", w.Reason)
	}
	return w, c.Info().Remote, err
}

// welcomed reads the answer to a Register frame.
func welcomed(c *stream.Conn) (w relay.Welcome, err error) {
	var b [relay.MaxRegister + 2]byte
	for n := 0; n < len(b); {
		more, err := c.Read(b[n:])
		n += more
		frame, _, bad := relay.NextStream(b[:n])
		switch {
		case bad != nil:
			return w, bad
		case frame != nil:
			return relay.ReadWelcome(frame)
		case err != nil:
			return w, err
		}
	}
	return w, relay.ErrMalformed
}

func (r *Relay) addressesOf(id ident.Relay) []string {
	for _, n := range r.list.Load().Neighbours() {
		if n.ID == id {
			return n.Addresses
		}
	}
	return nil
}

// tlsTo believes only the relay that is meant.
func (r *Relay) tlsTo(id ident.Relay) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{relay.ALPN},
		InsecureSkipVerify: true, // names of hosts say nothing: see VerifyConnection
		VerifyConnection: func(state tls.ConnectionState) error {
			n, err := trust.VerifyRelay(state.PeerCertificates, r.dir.member.Pin, r.clock.Instant())
			if err == nil && n.Relay != id {
				err = fmt.Errorf("%s answers for relay %s", n, id)
			}
			return err
		},
	}
}
