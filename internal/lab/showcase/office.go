package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/version"
)

// desk is a peer of the office.
type desk struct {
	name, user, tag string
	path, relay     string
	rtt             float64 // milliseconds; 0: no path
	flow            float64 // bytes a second, about; the wave of each is another
	gone            time.Duration
	plain           bool
}

var desks = []desk{
	{name: "db-1", tag: "db", path: "direct", rtt: 1.2, flow: 6e6},
	{name: "db-2", tag: "db", path: "direct", rtt: 1.4, flow: 9e5},
	{name: "web-1", tag: "web", path: "direct", rtt: 8.1, flow: 2.4e6},
	{name: "web-2", tag: "web", path: "direct", rtt: 8.4, flow: 1.1e6},
	{name: "web-10", tag: "web", path: "relay", relay: "fra-1", rtt: 31, flow: 3e5},
	{name: "ci-runner", tag: "ci", path: "direct", rtt: 22, flow: 4e6},
	{name: "build-arm", tag: "ci", path: "idle"},
	{name: "alice-phone", user: "alice@example.com", path: "relay", relay: "ams-2", rtt: 64, flow: 5e4},
	{name: "bobs-laptop", user: "bob@example.com", path: "direct", rtt: 17, flow: 2e5},
	{name: "carol-desk", user: "carol@example.com", path: "idle", gone: 26 * time.Hour},
	{name: "nas", tag: "storage", path: "direct", rtt: 0.6, flow: 1.2e7},
	{name: "printer", tag: "printer", path: "idle", plain: true},
	{name: "router-nyc", tag: "site", path: "direct", rtt: 82, flow: 7e5},
	{name: "grafana", tag: "web", path: "idle"},
	{name: "old-vm", tag: "web", path: "idle", gone: 9 * 24 * time.Hour},
}

// office invents a state for each instant.
type office struct {
	mu    sync.Mutex
	began time.Time
	last  time.Time
	moved []float64 // bytes so far, by desk
	exit  string    // through which what is for the internet leaves; "": none

	trouble bool // something is wrong, and there is a second network, which is off
}

func newOffice(now time.Time) *office {
	o := &office{began: now, last: now, moved: make([]float64, len(desks))}
	for i := range desks {
		o.moved[i] = desks[i].flow * 4000
	}
	return o
}

// rate is how much a desk sends at an instant, in bytes a second.
func (o *office) rate(i int, at time.Time) float64 {
	t := at.Sub(o.began).Seconds()
	wave := 1 + math.Sin(t/(5+float64(i%7))+float64(i)) + .4*math.Sin(t*1.7+float64(3*i))
	return desks[i].flow * max(wave, 0.02)
}

func (o *office) Status() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	for i := range desks {
		o.moved[i] += o.rate(i, now) * now.Sub(o.last).Seconds()
	}
	o.last = now
	ago := func(d time.Duration) *time.Time { t := now.Add(-d); return &t }
	n := local.Network{ID: "v0office", Name: "office", Tenant: "default", Domain: "office.cvlan", State: local.Up, Interface: "cvlan0", Port: 41641, MTU: 1380,
		Self:       local.Node{ID: "n0self", Name: "alice-laptop", Addresses: []netip.Addr{netip.MustParseAddr("10.77.0.2")}, User: "alice@example.com"},
		Policy:     local.Policy{Version: 12, Flows: 48, Denied: 17},
		Controller: local.Controller{Address: "ctl.example.com:443", Connected: true, Transport: "quic", Since: &o.began, CertUntil: ago(-51 * 24 * time.Hour)},
	}
	n.Routes = []local.PeerRoute{{Prefix: netip.MustParsePrefix("10.20.0.0/16"), Router: "router-nyc", Standby: []string{"nas"}, State: local.RouteInUse}}
	n.Offers = []local.Offer{{Prefix: netip.MustParsePrefix("192.168.7.0/24")}}
	n.Exits = []local.ExitPeer{{Name: "nas", Online: true, IPv4: true, Allowed: true}, {Name: "router-nyc", Online: true, IPv4: true, IPv6: true, Allowed: true}}
	if o.exit != "" {
		n.Exit = &local.Exit{Node: o.exit, State: local.ExitInUse, IPv6: o.exit == "router-nyc", LAN: true}
	}
	for i, d := range desks {
		n.Peers = append(n.Peers, o.peer(i, d, ago))
	}
	all := []local.Network{n}
	if o.trouble {
		all[0].Warnings = []local.Problem{{Code: "udp-blocked", What: "UDP does not leave this network: every path leads through a relay", Hint: "see what it lets through: cvlan netcheck"}}
		all = append(all, local.Network{ID: "v0lab", Name: "lab", Tenant: "default", State: local.Down, Self: local.Node{ID: "n0lab", Name: "alice-laptop"}, Controller: n.Controller})
	}
	b, _ := json.Marshal(local.Status{Schema: local.Schema, Daemon: version.Info{Version: "1.0.0"}, Since: o.began, Networks: all})
	return b
}

func (o *office) peer(i int, d desk, ago func(time.Duration) *time.Time) local.Peer {
	p := local.Peer{Node: local.Node{ID: fmt.Sprintf("n%012d", i), Name: d.name, User: d.user, Key: fmt.Sprintf("hV0wbqvZz0q5r2m1ZQZc9k7o4a3u8N1yJmXr5bq%04d=", 7*i+1000),
		Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 77, 0, byte(3 + i)}), netip.MustParseAddr(fmt.Sprintf("fd5c:1a7e:9b02::%x", 3+i))}},
		Online: d.gone == 0 && !d.plain, Protocol: "wireguard", Path: d.path, Relay: d.relay, RxBytes: uint64(o.moved[i] * .8), TxBytes: uint64(o.moved[i] * .2)}
	if d.tag != "" {
		p.Tags = []string{d.tag}
	}
	if d.plain {
		p.Kind, p.LastHandshake = local.PlainPeer, ago(4*time.Minute)
	}
	if d.gone > 0 {
		p.LastSeen = ago(d.gone)
	}
	if d.rtt > 0 {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(10 + i)}), 41641)
		p.Endpoint, p.LastHandshake = &at, ago(time.Duration(i*7+3)*time.Second)
	}
	return p
}
