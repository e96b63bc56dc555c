package tui

import (
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/ident"
)

// deny has the filter drop a few packets, and a check of the network find something.
func (s *stage) deny() {
	place := func(name, addr string, port uint16) *local.DenialPlace {
		return &local.DenialPlace{Name: name, Address: netip.MustParseAddr(addr), Port: port}
	}
	rule := uint32(3)
	s.twin.check = local.NetCheck{Meaning: []string{"Direct connections are likely"}, Relays: []local.NetRelay{{Name: "fra-1", UDP: 7400 * time.Microsecond}}}
	s.twin.log = local.PolicyLog{Networks: []local.PolicyNetwork{{ID: "n1", Name: "office", Policy: 7, Denials: []local.Denial{
		{At: noon.Add(-90 * time.Second), Direction: "in", Src: place("web-2", "10.77.0.4", 51513), Dst: place("laptop", "10.77.0.2", 22), Protocol: "tcp", Reason: "no_rule"},
		{At: noon.Add(-40 * time.Second), Direction: "out", Src: place("laptop", "10.77.0.2", 40000), Dst: place("db-1", "10.77.0.3", 5432), Protocol: "tcp", Reason: "denied", Rule: &rule, Missed: 4},
		{At: noon.Add(-9 * time.Second), Direction: "in", Src: place("", "fd5c:1a7e:9b02::99", 0), Dst: place("laptop", "10.77.0.2", 0), Protocol: "icmp", Reason: "unknown_source"},
	}}}, Next: map[string]uint64{"n1": 3}}
}

// leave has two peers be exits, the first of which is in use, and a third that policy does not let this machine use.
func (s *stage) leave() {
	n := &s.twin.status.Networks[0]
	n.Exits = []local.ExitPeer{{Name: "db-1", Online: true, IPv4: true, Allowed: true}, {Name: "web-2", Online: true, IPv4: true, IPv6: true}, {Name: "web-10", IPv4: true, IPv6: true, Allowed: true}}
	n.Exit = &local.Exit{Node: "db-1", State: local.ExitInUse}
}

// changes lets peers, the controller and the policy change.
func (s *stage) changes() {
	n := &s.twin.status.Networks[0]
	n.Peers = append([]local.Peer{}, n.Peers...)
	n.Peers[0].Path, n.Peers[0].Relay = local.PathRelay, "nyc-1"
	n.Peers[3].Online = true
	n.Peers = n.Peers[:4]
	n.Warnings, n.Controller.Connected, n.Policy.Version = nil, false, 8
	s.pass(0)
}

// staff gives the controller nodes and keys.
func (s *stage) staff() {
	node := func(n byte, name string) admin.Node {
		return admin.Node{ID: ident.Node(n) << 40, Name: name, NetworkName: "office", Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 77, 0, n})}, Online: true,
			OS: "linux", Software: "1.4.0", CertUntil: noon.Add(60 * 24 * time.Hour), LastSeen: noon.Add(-3 * time.Hour)}
	}
	laptop, db, rig := node(2, "laptop"), node(3, "db-1"), node(9, "rig")
	laptop.User = "alice@example.com"
	db.Tags = []string{"tag:db"}
	rig.Pending, rig.Online, rig.Tags = true, false, []string{"tag:lab"}
	lan, all4, all6 := netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")
	db.Routes = []admin.NodeRoute{{Prefix: all4, Offered: true}, {Prefix: lan, Offered: true, Approved: true, ByPolicy: true}, {Prefix: all6, Offered: true}}
	s.ruler.nodes = []admin.Node{laptop, db, rig}
	s.ruler.keys = []admin.JoinKey{
		{ID: ident.JoinKey(1) << 50, NetworkName: "office", State: "expired", Uses: 1, Expires: noon.Add(-time.Hour), Created: noon.Add(-2 * time.Hour)},
		{ID: ident.JoinKey(3) << 50, NetworkName: "office", State: "valid", Uses: 0, Used: 12, Approve: true, Tags: []string{"tag:web"}, Created: noon.Add(-48 * time.Hour)},
	}
}

// speakIPsec has the first peer speak it, and the second one be closed.
func (s *stage) speakIPsec() {
	peers := s.twin.status.Networks[0].Peers
	peers[0].Protocol, peers[0].Cipher, peers[0].Why = local.IPsecProtocol, "AES-256-GCM", "the policy requires it"
	peers[1].Closed = "the policy requires IPsec, which it does not speak"
	since, rekey := noon.Add(-10*time.Minute), noon.Add(49*time.Minute)
	s.twin.ipsec = local.IPsec{Networks: []local.IPsecNetwork{{ID: "n1", Peers: []local.IPsecPeer{{ID: "b1",
		IKE: []local.IKESA{{Identity: "db-1.office.cvlan", Method: "certificate, ECDSA P-256", Cipher: "AES-256-GCM, P-384", Since: &since, Rekey: &rekey}},
		ESP: []local.ESPSA{{Cipher: "AES-256-GCM", State: "sealing", Since: &since, Sent: 4711}}}}}}}
}

// stopped is a daemon whose service somebody has stopped.
func (s *stage) stopped() {
	s.twin.err = errDown
	s.twin.found = Diagnosis{Findings: []Finding{{Code: "daemon-down", Severity: Error, What: "the daemon cvland does not run", Why: "its service is inactive",
		Hint: "sudo systemctl enable --now cvland", Cure: []string{"systemctl", "start", "cvland"}}}}
}

// spoil has an examination find what the daemon tells already, a changed MTU, and something to know.
func (s *stage) spoil() {
	s.twin.found = Diagnosis{Findings: []Finding{
		{Code: "mtu-changed", Severity: Warning, Network: "office", What: "the interface cvlan0 has MTU 900 instead of 1280", Why: "somebody changed it: large packets may not arrive",
			Hint: "sudo ip link set dev cvlan0 mtu 1280", Cure: []string{"ip", "link", "set", "dev", "cvlan0", "mtu", "1280"}},
		{Code: "udp-blocked", Severity: Warning, Network: "office", What: "UDP does not leave this network"},
		{Code: "no-relay", Severity: Note, What: "the networks have no relay", Hint: "docs/guides/relay.md says how to run one"}}}
}
