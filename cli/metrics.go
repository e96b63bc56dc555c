package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

func newMetrics(env *Env) *cobra.Command {
	o := &talk{Env: env}
	c := &cobra.Command{
		Use:   "metrics",
		Short: "Print this machine's counters for Prometheus",
		Long: "metrics prints the daemon's counters in Prometheus's text form: networks, peers, bytes, what the tunnel and the filter have dropped and why, " +
			"and what each rule has decided. The daemon itself listens nowhere; let a timer write the output to a file that node_exporter's " +
			"textfile collector reads. It needs the rights of an operator.",
		Example: "  sudo cvlan metrics\n  sudo sh -c 'cvlan metrics > /var/lib/node_exporter/cvlan.prom.new && mv /var/lib/node_exporter/cvlan.prom.new /var/lib/node_exporter/cvlan.prom'",
		Args:    takes(),
		RunE:    o.asks(func(ctx context.Context, _ []string) error { return o.metrics(ctx) }),
	}
	timeoutFlag(c, &o.timeout, 10*time.Second, "how long to wait for the daemon")
	return c
}

func (t *talk) metrics(ctx context.Context) error {
	s, err := t.client.Status(ctx)
	if err != nil {
		return err
	}
	w, err := t.client.WireGuard(ctx)
	if err != nil {
		return err
	}
	p, err := t.client.PolicyLog(ctx, local.PolicyLogRequest{})
	if err != nil {
		return err
	}
	_, err = io.WriteString(t.IO.Out, prometheus(&s, &w, &p).String())
	return err
}

// prometheus gathers the samples.
func prometheus(s *local.Status, w *local.WireGuard, p *local.PolicyLog) *metrics {
	m := &metrics{families: map[string]*series{}}
	m.build(*s)
	for _, n := range s.Networks {
		m.network(n)
	}
	for _, n := range w.Networks {
		m.tunnel(n)
	}
	for _, n := range p.Networks {
		m.policy(n)
	}
	return m
}

// metrics gathers samples by family, in the order in which families come first: the text form wants the samples of one together.
type metrics struct {
	families map[string]*series
	order    []*series
}

type series struct {
	name, kind, help string
	rows             []string
}

// add adds a sample; labels are names and values in turn.
func (m *metrics) add(name, kind, help string, value float64, labels ...string) {
	f := m.families[name]
	if f == nil {
		f = &series{name: name, kind: kind, help: help}
		m.families[name] = f
		m.order = append(m.order, f)
	}
	var b strings.Builder
	b.WriteString(name)
	for i := 0; i < len(labels); i += 2 {
		b.WriteByte("{,"[min(i, 1)])
		b.WriteString(labels[i] + `="` + quoteLabel.Replace(iox.Clean(labels[i+1])) + `"`)
	}
	if len(labels) > 0 {
		b.WriteByte('}')
	}
	f.rows = append(f.rows, b.String()+" "+strconv.FormatFloat(value, 'f', -1, 64))
}

// quoteLabel is how the text form writes a label's value (Prometheus, "exposition formats").
var quoteLabel = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// String returns the text form.
func (m *metrics) String() string {
	var b strings.Builder
	for _, f := range m.order {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n%s\n", f.name, f.help, f.name, f.kind, strings.Join(f.rows, "\n"))
	}
	return b.String()
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (m *metrics) build(s local.Status) {
	m.add("cvland_build_info", "gauge", "Which build the daemon is.", 1, "version", s.Daemon.Version)
	m.add("cvland_start_time_seconds", "gauge", "When the daemon started, in seconds since 1970.", float64(s.Since.Unix()))
}

func (m *metrics) network(n local.Network) {
	m.add("cvland_network_up", "gauge", "1 while traffic can flow in the network.", truth(n.State == local.Up || n.State == local.Offline), "network", n.Name)
	m.add("cvland_controller_connected", "gauge", "1 while the controller is connected.", truth(n.Controller.Connected), "network", n.Name)
	m.add("cvland_problems", "gauge", "How many problems and warnings the network has.", float64(len(n.Warnings))+truth(n.Problem != nil), "network", n.Name)
	if n.Controller.CertUntil != nil {
		m.add("cvland_certificate_end_seconds", "gauge", "When this machine's certificate ends, in seconds since 1970.", float64(n.Controller.CertUntil.Unix()), "network", n.Name)
	}
	if n.Controller.CrossUntil != nil {
		m.add("cvland_company_chain_end_seconds", "gauge", "When a company's certificates for the network's authority end, in seconds since 1970.", float64(n.Controller.CrossUntil.Unix()), "network", n.Name)
	}
	paths := map[string]int{local.PathDirect: 0, local.PathRelay: 0, local.PathIdle: 0}
	for _, p := range n.Peers {
		paths[p.Path]++
	}
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		m.add("cvland_peers", "gauge", "Peers by the path to them.", float64(paths[path]), "network", n.Name, "path", path)
	}
}

func (m *metrics) tunnel(n local.WGNetwork) {
	var rx, tx, rxPackets, txPackets uint64
	for _, p := range n.Peers {
		rx, tx, rxPackets, txPackets = rx+p.RxBytes, tx+p.TxBytes, rxPackets+p.RxPackets, txPackets+p.TxPackets
	}
	for _, d := range []struct {
		direction      string
		bytes, packets uint64
	}{{"in", rx, rxPackets}, {"out", tx, txPackets}} {
		m.add("cvland_tunnel_bytes_total", "counter", "Bytes on the wire, of the peers that there are.", float64(d.bytes), "network", n.Name, "direction", d.direction)
		m.add("cvland_tunnel_packets_total", "counter", "Packets on the wire, of the peers that there are.", float64(d.packets), "network", n.Name, "direction", d.direction)
	}
	for _, reason := range slices.Sorted(maps.Keys(n.Drops)) {
		m.add("cvland_tunnel_drops_total", "counter", "Packets and messages that the tunnel has dropped.", float64(n.Drops[reason]), "network", n.Name, "reason", reason)
	}
	m.add("cvland_tunnel_memory_bytes", "gauge", "Memory for packets that all tunnels have taken.", float64(n.Memory), "network", n.Name)
}

func (m *metrics) policy(n local.PolicyNetwork) {
	m.add("cvland_policy_version", "gauge", "Version of the policy that the filter applies; 0: it has no rules, and nothing passes.", float64(n.Policy), "network", n.Name)
	m.add("cvland_policy_flows", "gauge", "Flows that are known now.", float64(n.Flows), "network", n.Name)
	m.add("cvland_policy_flows_opened_total", "counter", "Flows that rules have allowed.", float64(n.Opened), "network", n.Name)
	m.add("cvland_policy_flows_evicted_total", "counter", "Flows that were forgotten because there was no room.", float64(n.Evicted), "network", n.Name)
	for _, d := range []struct {
		direction string
		dropped   map[string]uint64
	}{{"in", n.DroppedIn}, {"out", n.DroppedOut}} {
		for _, reason := range slices.Sorted(maps.Keys(d.dropped)) {
			m.add("cvland_policy_denied_total", "counter", "Packets, or trains of them, that the filter has dropped.", float64(d.dropped[reason]),
				"network", n.Name, "direction", d.direction, "reason", reason)
		}
	}
	for _, r := range n.Rules {
		rule, version := strconv.FormatUint(uint64(r.Rule), 10), strconv.FormatUint(n.Policy, 10)
		m.add("cvland_policy_rule_allowed_total", "counter", "Flows that a rule has allowed, since this version of the policy came into force.", float64(r.Allowed),
			"network", n.Name, "policy", version, "rule", rule)
		m.add("cvland_policy_rule_denied_total", "counter", "Packets, or trains of them, that a rule has denied, likewise.", float64(r.Denied),
			"network", n.Name, "policy", version, "rule", rule)
	}
}
