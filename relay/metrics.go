package relay

import (
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/cvlan/cvlan/internal/base/prom"
	"github.com/cvlan/cvlan/internal/base/version"
	"github.com/cvlan/cvlan/internal/core/forward"
	"github.com/cvlan/cvlan/relay/server"
	"github.com/cvlan/cvlan/relay/session"
)

// metrics answers in Prometheus's text form, version 0.0.4.
func (d *doors) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", prom.ContentType)
	d.relay.writeMetrics(w, d.snapshot())
}

func (r *Relay) writeRegion(p prom.Page, st server.Stats) {
	up := uint64(0)
	for _, n := range st.Region {
		if n.Up {
			up++
		}
	}
	p.One("cvlan_relay_region_relays", "gauge", "Other relays of the region that frames are exchanged with.", uint64(len(st.Region)))
	p.One("cvlan_relay_region_relays_up", "gauge", "Of them, those that take frames now.", up)
	p.Family("cvlan_relay_region_bytes_total", "counter", "Bytes that went to other relays of the region, and that came from them.")
	p.Row("cvlan_relay_region_bytes_total", st.Went.Bytes, "direction", "sent")
	p.Row("cvlan_relay_region_bytes_total", st.Came.Bytes, "direction", "received")
}

// number is how a yes or no is told.
func number(yes bool) uint64 {
	if yes {
		return 1
	}
	return 0
}

func (r *Relay) writeMetrics(w io.Writer, st server.Stats) {
	p := prom.Page{W: w}
	p.Family("cvlan_relay_build_info", "gauge", "Which build this is.")
	p.Row("cvlan_relay_build_info", 1, "version", version.Get().Version)
	p.One("cvlan_relay_clients_connected", "gauge", "Clients that are registered.", uint64(st.Clients))
	p.Family("cvlan_relay_clients_bound", "gauge", "Clients by the way that they are reached.")
	for _, v := range []forward.Via{forward.UDP, forward.Datagram, forward.Stream, forward.Nowhere} {
		p.Row("cvlan_relay_clients_bound", uint64(st.Bound[v]), "way", way(v))
	}
	p.One("cvlan_relay_connections", "gauge", "TLS and QUIC connections that have registered a client.", uint64(st.Connections))
	p.One("cvlan_relay_channels", "gauge", "Open channels.", uint64(st.Channels))
	p.One("cvlan_relay_draining", "gauge", "1 while clients are asked to go elsewhere.", number(st.Draining))
	p.One("cvlan_relay_controller_connected", "gauge", "1 while the controller answers; without it, removed nodes are not heard of.", number(r.talks().Phase == session.Connected))
	p.One("cvlan_relay_state_kept", "gauge", "0 while the disk does not take what a restart without the controller would need.", number(r.keeper.lacks() == nil))
	if end := r.CertificateEnd(); !end.IsZero() {
		p.One("cvlan_relay_certificate_end_seconds", "gauge", "When the relay's certificate ends, in seconds since 1970.", uint64(end.Unix()))
	}
	tenants := slices.Sorted(maps.Keys(st.Relayed))
	p.Family("cvlan_relay_bytes_relayed_total", "counter", "Bytes forwarded, with the relay's header.")
	for _, t := range tenants {
		p.Row("cvlan_relay_bytes_relayed_total", st.Relayed[t].Bytes, "tenant", t.String())
	}
	p.Family("cvlan_relay_packets_relayed_total", "counter", "Packets forwarded.")
	for _, t := range tenants {
		p.Row("cvlan_relay_packets_relayed_total", st.Relayed[t].Packets, "tenant", t.String())
	}
	r.writeRegion(p, st)
	p.Family("cvlan_relay_packets_dropped_total", "counter", "Frames that went nowhere, by reason.")
	for d := forward.Sent + 1; d < forward.Drops; d++ {
		p.Row("cvlan_relay_packets_dropped_total", st.Frames[d], "reason", d.String())
	}
}
