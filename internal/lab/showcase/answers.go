package main

import (
	"math"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

// find returns the desk of a node.
func find(peer string) (int, bool) {
	var i int
	for _, c := range peer {
		if c >= '0' && c <= '9' {
			i = 10*i + int(c-'0')
		}
	}
	return i, i < len(desks)
}

// wobble is a round trip at an instant, in milliseconds.
func (o *office) wobble(i int, at time.Time) float64 {
	t := at.Sub(o.began).Seconds()
	return desks[i].rtt * (1 + .12*math.Sin(t*2.1+float64(i)) + .06*math.Sin(t*7))
}

func (o *office) Path(r local.PathRequest) (local.PeerPath, error) {
	i, ok := find(r.Peer)
	if !ok || desks[i].rtt == 0 {
		return local.PeerPath{Path: local.PathIdle, Why: "there is no traffic", Preshared: "none"}, nil
	}
	now := time.Now()
	d, heard, since := desks[i], now.Add(-2*time.Second), o.began.Add(-17*time.Minute)
	way := func(a string, port uint16) *netip.AddrPort {
		p := netip.AddrPortFrom(netip.MustParseAddr(a), port)
		return &p
	}
	rtt := time.Duration(o.wobble(i, now) * 1e6)
	relay := local.Candidate{Path: local.PathRelay, Relay: "fra-1", Kind: "relay", State: "works", RTT: rtt*2 + 9e6, Heard: &heard}
	outside := netip.AddrFrom4([4]byte{198, 51, 100, byte(10 + i)}).String()
	p := local.PeerPath{Path: d.path, Why: "it is the fastest direct way that answered", Since: &since, Preshared: "post-quantum", Candidates: []local.Candidate{
		{Path: local.PathDirect, Address: way(outside, 41641), Kind: "mapped", State: "works", Chosen: true, RTT: rtt, MTU: 1500, Heard: &heard}, relay,
		{Path: local.PathDirect, Address: way("192.168.7.20", 41641), Kind: "host", State: "dead"}}}
	if d.path == local.PathRelay {
		relay.Chosen, relay.Relay, relay.RTT = true, d.relay, rtt
		p.Why, p.Candidates = "no direct way answers", []local.Candidate{relay, {Path: local.PathDirect, Address: way(outside, 50112), Kind: "mapped", State: "trying"}}
	}
	return p, nil
}

// Reach tells rules as an office has them: web servers reach the databases, everybody is watched, nobody logs in to a database.
func (o *office) Reach(r local.PathRequest) (local.Reach, error) {
	out := local.Reach{Schema: local.Schema, Policy: 12, Out: []local.ReachRule{}, In: []local.ReachRule{}}
	i, ok := find(r.Peer)
	if !ok {
		return out, nil
	}
	out.Out = append(out.Out, local.ReachRule{Rule: 0, Services: []string{"icmp", "icmpv6"}})
	switch desks[i].tag {
	case "db":
		out.Out = append(out.Out, local.ReachRule{Rule: 3, Services: []string{"tcp:5432", "tcp:9187"}}, local.ReachRule{Rule: 5, Deny: true, Services: []string{"tcp:22"}})
	case "web":
		out.Out = append(out.Out, local.ReachRule{Rule: 2, Services: []string{"tcp:80", "tcp:443"}}, local.ReachRule{Rule: 4, Services: []string{"tcp:22"}})
		out.In = append(out.In, local.ReachRule{Rule: 6, Services: []string{"tcp:8000-8100"}})
	case "ci", "storage", "site":
		out.Out = append(out.Out, local.ReachRule{Rule: 4, Services: []string{"tcp:22", "tcp:2049"}})
	}
	return out, nil
}

func (o *office) Certificates() local.Certificates {
	return local.Certificates{Schema: local.Schema, Certificates: []local.Certificate{{Network: "office", ID: "v0office", Subject: "CN=n0self", Names: []string{"alice-laptop.office.cvlan", "cvlan://default/v0office/n0self"},
		Serial: "4fa07b11c2d84a5e9d3b60f7a1c5e802", Fingerprint: "9b1c64d2a7f05e38c91d77ab40e2f6d15c08a3be914f27d60b5ea8c3127df049", Key: "ECDSA P-256",
		NotBefore: o.began.Add(-9 * 24 * time.Hour), NotAfter: o.began.Add(51 * 24 * time.Hour), RenewsFrom: o.began.Add(21 * 24 * time.Hour),
		Issuer: local.Issuer{Subject: "CN=CloudVLAN tenant default"}, Root: local.Issuer{Subject: "CN=CloudVLAN root", NotAfter: o.began.Add(20 * 365 * 24 * time.Hour)}}}}
}

func (o *office) Ping(r local.PingRequest) (local.Pong, error) {
	i, ok := find(r.Peer)
	now := time.Now()
	if !ok || desks[i].rtt == 0 || now.Unix()%19 == 0 {
		return local.Pong{}, local.CodeTimeout.Problem("ping "+r.Peer, "no answer within 2s", "")
	}
	p := local.Pong{Schema: local.Schema, Peer: desks[i].name, RTT: time.Duration(o.wobble(i, now) * 1e6), Path: desks[i].path, Relay: desks[i].relay, Protocol: "wireguard"}
	if now.Unix()/12%3 == 0 && p.Path == local.PathDirect { // now and then it is relayed, to be seen
		p.Path, p.Relay, p.RTT = local.PathRelay, "fra-1", 2*p.RTT
	}
	return p, nil
}

func (o *office) PolicyLog(r local.PolicyLogRequest) local.PolicyLog {
	l := local.PolicyLog{Schema: local.Schema, Next: map[string]uint64{"v0office": 1}}
	if r.Since != nil {
		return l
	}
	self := &local.DenialPlace{Name: "alice-laptop", Address: netip.MustParseAddr("10.77.0.2"), Port: 22}
	for i, d := range []string{"old-vm", "grafana", "web-10", "web-10", "printer", "ci-runner"} {
		l.Networks = append(l.Networks, local.PolicyNetwork{ID: "v0office", Name: "office", Policy: 12, Denials: []local.Denial{{
			At: time.Now().Add(time.Duration(i-9) * 13 * time.Second), Direction: "in", Protocol: "tcp", Reason: "no_rule", Dst: self,
			Src: &local.DenialPlace{Name: d, Address: netip.AddrFrom4([4]byte{10, 77, 0, byte(20 + i)}), Port: uint16(50000 + 37*i)}}}})
	}
	return l
}

func (o *office) DNS() local.DNS {
	return local.DNS{Schema: local.Schema, InPlace: true, Manager: "systemd-resolved", Names: len(desks) + 1,
		Networks: []local.DNSNetwork{{Network: "office", Domain: "office.cvlan", On: true, Served: true}}}
}

// Set changes the exit and nothing else.
func (o *office) Set(r local.SetRequest) (local.Settings, error) {
	exit, ok := r.Values["exit-node"]
	if !ok {
		return local.Settings{}, local.CodeInvalid.Problem("set", "in the invented office only exit-node can be set", "")
	}
	if exit == local.DefaultValue {
		exit = ""
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.exit = exit
	return local.Settings{Schema: local.Schema}, nil
}

func (o *office) NetCheck() local.NetCheck {
	return local.NetCheck{Schema: local.Schema, Meaning: []string{"Direct connections are likely with all but some behind NATs that show each destination another address.",
		"The router opens ports on request (PCP): others can reach this machine whatever their NAT."},
		Relays: []local.NetRelay{{Name: "fra-1", UDP: 7400 * time.Microsecond}, {Name: "ams-2", UDP: 12 * time.Millisecond}, {Name: "nyc-1", UDP: 84 * time.Millisecond}}}
}
