package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/esp"
	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
	"github.com/cvlan/cvlan/internal/node/engine"
	"github.com/cvlan/cvlan/internal/node/ike"
	"github.com/cvlan/cvlan/internal/node/ipsec"
)

// IPsec implements localapi.Backend.
func (d *Daemon) IPsec() local.IPsec {
	out := local.IPsec{Schema: local.Schema, Networks: []local.IPsecNetwork{}}
	profile, err := crypt.NewProfile(d.cfg.IKEProfile)
	if err != nil {
		return out
	}
	for _, m := range d.all() {
		e, _ := m.alive()
		if e == nil {
			continue
		}
		if n, ok := m.ipsec(e.Status()); ok {
			n.Profile, n.Algorithms = profile.Name, algorithms(profile)
			out.Networks = append(out.Networks, n)
		}
	}
	return out
}

// algorithms are what a profile offers, in the usual names.
func algorithms(p crypt.Profile) local.Algorithms {
	names := func(all []msg.Proposal) (out [][]string) {
		for _, one := range all {
			var transforms []string
			for _, t := range one.Transforms {
				name := t.String()
				if t.Type >= msg.AdditionalKE1 || t.Type == msg.KeyExchange && t.ID == msg.KENone { // else two NONE would stand side by side
					name = t.Type.String() + "_" + name
				}
				transforms = append(transforms, name)
			}
			out = append(out, transforms)
		}
		return out
	}
	return local.Algorithms{IKE: names(p.IKE), ESP: names(p.ESP), Signatures: p.Signatures.Names()}
}

func (m *member) ipsec(s *engine.Status) (local.IPsecNetwork, bool) {
	n := local.IPsecNetwork{ID: m.id.String(), Name: m.label(), Peers: []local.IPsecPeer{}}
	all, wall, err := s.SAs()
	if err != nil {
		return n, false
	}
	n.Identity, _ = s.Identity()
	names := peerNames(s)
	for i := range all {
		n.Peers = append(n.Peers, ipsecPeer(names[all[i].Peer], &all[i], wall))
	}
	slices.SortFunc(n.Peers, func(a, b local.IPsecPeer) int { return cmp.Compare(a.Name, b.Name) })
	return n, true
}

// named is how a peer is called.
type named struct{ name, id string }

func peerNames(s *engine.Status) map[key.WGPublic]named {
	names := make(map[key.WGPublic]named, len(s.Peers))
	for _, p := range s.Peers {
		names[p.Record.WG] = named{p.Record.Name, p.Record.Node.String()}
	}
	return names
}

func ipsecPeer(n named, all *ipsec.SAs, wall func(mono.Time) time.Time) local.IPsecPeer {
	out := local.IPsecPeer{Name: n.name, ID: n.id, IKE: []local.IKESA{}, ESP: []local.ESPSA{}}
	for _, s := range all.IKE {
		out.IKE = append(out.IKE, local.IKESA{Initiator: fmt.Sprintf("%016x", s.Initiator), Responder: fmt.Sprintf("%016x", s.Responder), Began: s.Began,
			Identity: clean.Line(s.Identity, 200), Method: s.Method, Cipher: s.Cipher, Since: instant(wall(s.Up)), Heard: instant(wall(s.Heard)), Rekey: instant(wall(s.Rekey)),
			ProofEnds: instant(wall(s.ProofEnds)), Pending: s.Pending})
	}
	for _, s := range all.ESP {
		state := "receiving"
		switch {
		case s.Ending:
			state = "ending"
		case s.Waiting:
			state = "waiting"
		case s.Sealing:
			state = "sealing"
		}
		out.ESP = append(out.ESP, local.ESPSA{In: s.Local().String(), Out: s.Remote().String(), Cipher: s.Suite().String(), Kernel: lentTo(s), State: state,
			Since: instant(wall(s.Born())), Rekey: instant(wall(s.Due)), Ends: instant(wall(s.Ends)), Sent: s.Sent, Newest: s.Received})
	}
	return out
}

// lentTo is what the kernel does of a pair.
func lentTo(s esp.Status) string {
	switch seals, opens := s.SealingLent(), s.OpeningLent(); {
	case seals && opens:
		return "both"
	case seals:
		return "seals"
	case opens:
		return "opens"
	}
	return ""
}

// RekeyIPsec implements localapi.Backend.
func (d *Daemon) RekeyIPsec(_ context.Context, r local.IPsecRequest) (local.IPsecDone, error) {
	return d.withSAs("rekey", r, (*engine.Status).RekeySAs)
}

// TerminateIPsec implements localapi.Backend.
func (d *Daemon) TerminateIPsec(_ context.Context, r local.IPsecRequest) (local.IPsecDone, error) {
	return d.withSAs("terminate", r, (*engine.Status).EndSAs)
}

// withSAs does something with the SAs of one peer, or of all that have any.
func (d *Daemon) withSAs(what string, r local.IPsecRequest, do func(*engine.Status, key.WGPublic) error) (local.IPsecDone, error) {
	done := local.IPsecDone{Schema: local.Schema, Peers: []string{}}
	if r.Peer != "" {
		t, err := d.find(r.Peer, r.Network)
		if err != nil {
			return done, err
		}
		switch err := do(t.s, t.key); {
		case errors.Is(err, ike.ErrDown), errors.Is(err, engine.ErrNoSAs):
			return done, local.CodeNotFound.Problem(what+" the security associations with "+t.name, "there are none", "see which there are: sudo cvlan ipsec sas; the first packet by IPsec makes some")
		case errors.Is(err, engine.ErrNoIPsec):
			return done, local.CodeInvalid.Problem(what+" the security associations with "+t.name, "this machine does not speak IPsec there", "")
		case err != nil:
			return done, fmt.Errorf("%s the security associations with %s: %w", what, t.name, err)
		}
		done.Peers = append(done.Peers, t.name)
		return done, nil
	}
	chosen, err := d.choose(r.Network)
	if err != nil {
		return done, err
	}
	for _, m := range chosen {
		e, _ := m.alive()
		if e == nil {
			continue
		}
		s := e.Status()
		all, _, err := s.SAs()
		if err != nil {
			continue
		}
		names := peerNames(s)
		for _, x := range all {
			if do(s, x.Peer) == nil {
				done.Peers = append(done.Peers, names[x.Peer].name)
			}
		}
	}
	slices.Sort(done.Peers)
	return done, nil
}

// IPsecLog implements localapi.Backend.
func (d *Daemon) IPsecLog(_ context.Context, r local.IPsecLogRequest) (local.IPsecLog, error) {
	l := local.IPsecLog{Schema: local.Schema, Events: []local.IKEEvent{}, Next: map[string]uint64{}}
	chosen, err := d.choose(r.Network)
	if err != nil {
		return l, err
	}
	for _, m := range chosen {
		e, _ := m.alive()
		if e == nil {
			continue
		}
		events, next := e.IKELog(r.Since[m.id.String()])
		l.Next[m.id.String()] = next
		names := peerNames(e.Status())
		for i := range events {
			l.Events = append(l.Events, ikeEvent(m.label(), names, &events[i]))
		}
	}
	slices.SortStableFunc(l.Events, func(a, b local.IKEEvent) int { return a.At.Compare(b.At) })
	return l, nil
}

func ikeEvent(network string, names map[key.WGPublic]named, e *engine.IKEEvent) local.IKEEvent {
	out := local.IKEEvent{At: e.At.UTC(), Network: network, Event: e.Kind.String(), Detail: clean.Line(e.Detail, 200), Cipher: e.Cipher, Missed: e.Missed}
	var k key.WGPublic
	if e.Peer != "" && k.UnmarshalText([]byte(e.Peer)) == nil {
		out.Peer = cmp.Or(names[k].name, e.Name, k.Short()) // who has left the map is called as before
	}
	if e.Reason != 0 {
		out.Reason = e.Reason.String()
	}
	if e.Notify != 0 {
		out.Reason += ": " + e.Notify.String()
	}
	if e.Child.In != 0 {
		out.SPI = esp.SPI(e.Child.In).String() // as sas shows it
		if e.Child.Encryption.ID != 0 {        // of one that ends only its number is told
			out.Cipher = e.Child.Encryption.String()
		}
	}
	return out
}
