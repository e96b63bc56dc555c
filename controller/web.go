package controller

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	serve "github.com/cvlan/cvlan/controller/admin"
	"github.com/cvlan/cvlan/controller/fleet"
	"github.com/cvlan/cvlan/internal/base/ident"
)

// web is a server of HTTP: of the admin API, on the controller's port or on one of its own, or of the operator's door.
type web struct {
	server   *http.Server
	listener net.Listener
}

func (c *Controller) openWeb(ctx context.Context) (*web, error) {
	w := &web{server: &http.Server{
		Handler: serve.New(serve.Config{
			Store: c.store, Live: c.presence, NewTenant: c.newTenant, Rules: c.hub, Relays: relays{c.fleet}, CA: c.ca, Rotated: c.rotated, Addrs: c.addresses, Pin: c.ca.Pin(),
			Ends: c.vigil.Ends, Started: c.started, Now: c.cfg.Now, Log: c.cfg.Log,
		}),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(c.cfg.Log.Handler(), slog.LevelDebug),
	}}
	if c.cfg.AdminListen == "" {
		w.listener = c.listener.Web()
		return w, nil
	}
	var lc net.ListenConfig
	tcp, err := lc.Listen(ctx, "tcp", c.cfg.AdminListen)
	if err != nil {
		return nil, fmt.Errorf("listen for the admin API: %w", err)
	}
	w.listener = tls.NewListener(tcp, &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.ca.Server() },
	})
	return w, nil
}

// run serves until ctx is done, then lets requests end for a few seconds.
func (w *web) run(ctx context.Context) error {
	if w.listener == nil { // a simulation without TCP, or no door
		<-ctx.Done()
		return nil
	}
	stop := context.AfterFunc(ctx, func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		if w.server.Shutdown(last) != nil {
			w.server.Close()
		}
	})
	defer stop()
	if err := w.server.Serve(w.listener); !errors.Is(err, http.ErrServerClosed) && ctx.Err() == nil {
		return fmt.Errorf("serve %s: %w", w.listener.Addr(), err)
	}
	<-ctx.Done()
	return nil
}

// presence is what the admin API shows of a node's session.
func (c *Controller) presence(t ident.Tenant, n ident.Node) serve.Presence {
	l := c.hub.Live(t, n)
	return serve.Presence{Online: l.Online, LastSeen: l.LastSeen, Endpoints: l.Endpoints}
}

// relays is the fleet as the admin API sees it.
type relays struct{ *fleet.Fleet }

// Live implements serve.Relays.
func (r relays) Live(id ident.Relay) serve.RelayPresence {
	l := r.Fleet.Live(id)
	return serve.RelayPresence{Online: l.Online, Draining: l.Draining, Clients: l.Clients}
}
