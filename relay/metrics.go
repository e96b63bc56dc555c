package relay

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/cvlan/cvlan/internal/base/version"
	"github.com/cvlan/cvlan/internal/core/forward"
	"github.com/cvlan/cvlan/relay/server"
)

// metrics answers in Prometheus's text form, version 0.0.4.
func (d *doors) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	d.relay.writeMetrics(w, d.snapshot())
}

// page writes metrics one family at a time.
type page struct{ w io.Writer }

func (p page) family(name, kind, help string) {
	fmt.Fprintf(p.w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func (p page) one(name, kind, help string, value uint64) {
	p.family(name, kind, help)
	fmt.Fprintf(p.w, "%s %d\n", name, value)
}

// row writes one value; label and its value are plain ASCII without quotes.
func (p page) row(name, label, is string, value uint64) {
	fmt.Fprintf(p.w, "%s{%s=%q} %d\n", name, label, is, value)
}

func (r *Relay) writeRegion(p page, st server.Stats) {
	up := uint64(0)
	for _, n := range st.Region {
		if n.Up {
			up++
		}
	}
	p.one("cvlan_relay_region_relays", "gauge", "Other relays of the region that frames are exchanged with.", uint64(len(st.Region)))
	p.one("cvlan_relay_region_relays_up", "gauge", "Of them, those that take frames now.", up)
	p.family("cvlan_relay_region_bytes_total", "counter", "Bytes that went to other relays of the region, and that came from them.")
	p.row("cvlan_relay_region_bytes_total", "direction", "sent", st.Went.Bytes)
	p.row("cvlan_relay_region_bytes_total", "direction", "received", st.Came.Bytes)
}

func (r *Relay) writeMetrics(w io.Writer, st server.Stats) {
	p := page{w}
	p.family("cvlan_relay_build_info", "gauge", "Which build this is.")
	p.row("cvlan_relay_build_info", "version", version.Get().Version, 1)
	p.one("cvlan_relay_clients_connected", "gauge", "Clients that are registered.", uint64(st.Clients))
	p.family("cvlan_relay_clients_bound", "gauge", "Clients by the way that they are reached.")
	for _, v := range []forward.Via{forward.UDP, forward.Datagram, forward.Stream, forward.Nowhere} {
		p.row("cvlan_relay_clients_bound", "way", way(v), uint64(st.Bound[v]))
	}
	p.one("cvlan_relay_connections", "gauge", "TLS and QUIC connections that have registered a client.", uint64(st.Connections))
	p.one("cvlan_relay_channels", "gauge", "Open channels.", uint64(st.Channels))
	draining := uint64(0)
	if st.Draining {
		draining = 1
	}
	p.one("cvlan_relay_draining", "gauge", "1 while clients are asked to go elsewhere.", draining)
	if end := r.CertificateEnd(); !end.IsZero() {
		p.one("cvlan_relay_certificate_end_seconds", "gauge", "When the relay's certificate ends, in seconds since 1970.", uint64(end.Unix()))
	}
	tenants := slices.Sorted(maps.Keys(st.Relayed))
	p.family("cvlan_relay_bytes_relayed_total", "counter", "Bytes forwarded, with the relay's header.")
	for _, t := range tenants {
		p.row("cvlan_relay_bytes_relayed_total", "tenant", t.String(), st.Relayed[t].Bytes)
	}
	p.family("cvlan_relay_packets_relayed_total", "counter", "Packets forwarded.")
	for _, t := range tenants {
		p.row("cvlan_relay_packets_relayed_total", "tenant", t.String(), st.Relayed[t].Packets)
	}
	r.writeRegion(p, st)
	p.family("cvlan_relay_packets_dropped_total", "counter", "Frames that went nowhere, by reason.")
	for d := forward.Sent + 1; d < forward.Drops; d++ {
		p.row("cvlan_relay_packets_dropped_total", "reason", d.String(), st.Frames[d])
	}
}
