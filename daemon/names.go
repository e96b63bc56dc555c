package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/daemon/resolver"
	"github.com/cvlan/cvlan/daemon/state"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/core/names"
	"github.com/cvlan/cvlan/internal/core/netmap"
	"github.com/cvlan/cvlan/internal/node/engine"
	"github.com/cvlan/cvlan/internal/sys/hostdns"
)

// dnsSetting is on for those who set nothing: where systemd-resolved decides, only questions about names of ours come to us; where a file does, those that
// were in it stay behind us, so that nothing is lost with us.
var dnsSetting = ofNetwork{about: about{key: "dns", what: "programs of this machine find the network's machines by name", values: []string{on, off}}, standard: always(on),
	read:  func(m *state.Meta) string { return m.DNS },
	write: writeDNS,
	apply: func(m *member, _ *engine.Engine) { m.d.changed() }}

func writeDNS(m *state.Meta, v string) error {
	if v == on && !hostdns.Works {
		return errors.New("names of networks are set up on Linux only, so far; use addresses")
	}
	m.DNS = v
	return nil
}

// serveNames answers for names until what it returns is called, which waits until the host is as it was.
func (d *Daemon) serveNames(ctx context.Context) (stop func()) {
	if d.names == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.names.Run(ctx)
	}()
	d.names.Wake()
	return func() { cancel(); <-done }
}

// naming is a network's names as they were made of a map, and of which.
type naming struct {
	of    nameStamp
	names *names.Network
}

// nameStamp tells one state of a network's names from another: names, addresses and who is seen are hard state of the map.
type nameStamp struct {
	network       netmap.Network
	self          ident.Node
	name          string
	version       uint64
	peers, plains int
	first         **netmap.Peer
}

// named are the networks that have names now.
func (d *Daemon) named() (all []resolver.Network) {
	for _, m := range d.all() {
		e, _ := m.alive()
		if e == nil || m.state.Meta().DNS == off {
			continue
		}
		if s := e.Status(); s.Known && s.Interface != "" && (s.State == engine.Up || s.State == engine.Offline) {
			all = append(all, resolver.Network{Interface: s.Interface, Names: m.namesOf(s)})
		}
	}
	return all
}

// namesOf are a network's names; the same pointer as long as they are the same.
func (m *member) namesOf(s *engine.Status) *names.Network {
	of := nameStamp{network: s.Network, self: s.Self.Record.Node, name: s.Self.Record.Name, version: s.MapVersion, peers: len(s.Peers), plains: len(s.Plains)}
	if len(s.Peers) > 0 {
		of.first = &s.Peers[0]
	}
	if m.named.names != nil && m.named.of == of {
		return m.named.names
	}
	n := &names.Network{Name: s.Network.Name, Domain: s.Network.Domain, Hosts: make([]names.Host, 0, 1+len(s.Peers)+len(s.Plains))}
	for _, r := range []netip.Prefix{s.Network.Range4, s.Network.Range6} {
		if r.IsValid() {
			n.Ranges = append(n.Ranges, r)
		}
	}
	add := func(name string, addrs ...netip.Addr) {
		n.Hosts = append(n.Hosts, names.Host{Name: name, Addrs: slices.DeleteFunc(addrs, func(a netip.Addr) bool { return !a.IsValid() })})
	}
	add(s.Self.Record.Name, s.Self.Record.Address4, s.Self.Record.Address6)
	for _, p := range s.Peers {
		add(p.Record.Name, p.Record.Address4, p.Record.Address6)
	}
	for _, p := range s.Plains {
		add(p.Name, p.Address4, p.Address6)
	}
	m.named = naming{of, n}
	return n
}

// nameWarnings say why programs do not find the names of a network that is up.
func (m *member) nameWarnings(s *engine.Status) (all []local.Problem) {
	if m.d.names == nil || m.state.Meta().DNS == off || s.State != engine.Up && s.State != engine.Offline {
		return nil
	}
	if err := names.CheckDomain(s.Network.Domain); err != nil {
		return []local.Problem{{Code: "names-foreign-domain", What: "this network has no names: " + err.Error(), Hint: "ask the controller's operator"}}
	}
	now := m.d.names.State()
	if p := now.Problem(); p != nil {
		all = append(all, local.Problem{Code: p.Code, What: "programs do not find this network's machines by name: " + p.Why, Hint: p.Hint})
	}
	return all
}

// DNS implements localapi.Backend.
func (d *Daemon) DNS() local.DNS {
	out := local.DNS{Schema: local.Schema, Networks: []local.DNSNetwork{}}
	if d.names != nil {
		s := d.names.State()
		out.Manager, out.Path, out.InPlace, out.Names, out.Restored = s.Host.Manager, s.Host.Path, s.Host.InPlace, s.Names, s.Restored
		out.Answered, out.Forwarded, out.Failed = s.Answered, s.Forwarded, s.Failed
		if s.Server.IsValid() {
			out.Server, out.Since = &s.Server, instant(s.Since)
		}
		out.Upstreams = s.Host.Upstreams
		if p := s.Problem(); p != nil {
			out.Problem = &local.Problem{Code: p.Code, What: p.Why, Hint: p.Hint}
		}
		out.Search = s.Search
	}
	for _, m := range d.all() {
		name, _, domain := m.names()
		if m.state == nil {
			continue
		}
		n := local.DNSNetwork{Network: cmp.Or(name, m.id.String()), Domain: domain, On: m.state.Meta().DNS != off && d.names != nil}
		if e, _ := m.alive(); e != nil {
			n.Interface = e.Status().Interface
		}
		n.Served = slices.Contains(out.Search, domain)
		out.Networks = append(out.Networks, n)
	}
	return out
}

// maxDNSName bounds a name that is asked about (RFC 1035, section 2.3.4).
const maxDNSName = 253

// QueryDNS implements localapi.Backend.
func (d *Daemon) QueryDNS(ctx context.Context, r local.DNSRequest) (local.DNSAnswers, error) {
	verb := "look up " + shown(r.Name)
	out := local.DNSAnswers{Schema: local.Schema, Answers: []local.DNSAnswer{}}
	if r.Name == "" || len(r.Name) > maxDNSName {
		return out, local.CodeInvalid.Problem(verb, fmt.Sprintf("a name has 1 to %d bytes", maxDNSName), "")
	}
	err := resolver.ErrNotListening
	var all []resolver.Answer
	if d.names != nil {
		all, err = d.names.Ask(ctx, strings.TrimSpace(r.Name))
	}
	switch {
	case errors.Is(err, resolver.ErrNotListening):
		return out, local.CodeUnreachable.Problem(verb, "no network of this machine that is up has names", "see which there are: cvlan dns status")
	case errors.Is(err, resolver.ErrNoName):
		return out, local.CodeInvalid.Problem(verb, "that is no name", "write it as web-1, or in full, or as an address")
	case err != nil:
		return out, err
	}
	for _, a := range all {
		x := local.DNSAnswer{Name: a.Name, Type: a.Type, Code: a.Code, Records: a.Records, Ours: a.Ours, Why: a.Why}
		if x.Records == nil {
			x.Records = []string{}
		}
		out.Answers = append(out.Answers, x)
	}
	return out, nil
}
