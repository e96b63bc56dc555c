package controller

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/cvlan/cvlan/controller/ca"
	"github.com/cvlan/cvlan/internal/base/prom"
	"github.com/cvlan/cvlan/internal/base/version"
)

// openDoor opens what tools of the operator's ask without a key and without TLS: /health, which is the API's, and /metrics. These tell how many
// nodes there are and which tenants, so nobody listens for them unless it is asked for.
func (c *Controller) openDoor(ctx context.Context) (*web, error) {
	if c.cfg.HTTP == "" {
		return &web{}, nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", c.cfg.HTTP)
	if err != nil {
		return nil, fmt.Errorf("listen for health and metrics: %w; choose another with --http, or none with --http ''", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = "/api/v1/health"
		c.web.server.Handler.ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", prom.ContentType)
		c.writeMetrics(w)
	})
	return &web{listener: l, server: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(c.cfg.Log.Handler(), slog.LevelDebug)}}, nil
}

func (c *Controller) writeMetrics(w io.Writer) {
	p := prom.Page{W: w}
	p.Family("cvlan_controller_build_info", "gauge", "Which build this is.")
	p.Row("cvlan_controller_build_info", 1, "version", version.Get().Version)
	p.One("cvlan_controller_start_seconds", "gauge", "When the controller was started, in seconds since 1970.", uint64(c.started.Unix()))
	writable := uint64(0)
	if c.store.Writable() == nil {
		writable = 1
	}
	p.One("cvlan_controller_database_writable", "gauge", "1 while the database can be written.", writable)
	p.One("cvlan_controller_nodes_connected", "gauge", "Nodes that are connected.", uint64(c.hub.Sessions()))
	p.Family("cvlan_controller_authority_end_seconds", "gauge",
		"When an authority's certificate ends, in seconds since 1970: the root's, a tenant's, and the first that ends of a company's for it.")
	for _, e := range c.vigil.Ends() {
		tenant := ""
		if e.Kind != ca.OfRoot {
			tenant = e.Tenant.String()
		}
		p.Row("cvlan_controller_authority_end_seconds", uint64(e.At.Unix()), "of", string(e.Kind), "tenant", tenant)
	}
}
