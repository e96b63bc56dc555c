package netmap

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

const (
	acme   ident.Tenant  = 3
	office ident.Network = 7
	me     ident.Node    = 50
)

// identities are made once: a point of P-256 takes time.
var identities = sync.OnceValue(func() (all [64]key.IdentityPublic) {
	for i := range all {
		k, err := key.NewIdentity()
		if err != nil {
			panic(err)
		}
		all[i] = k.Public()
	}
	return all
})

// seal is a signature that costs nothing: whoever knows the public key can make it.
func seal(by key.IdentityPublic, message []byte) []byte {
	h := sha256.New()
	h.Write(by[:])
	h.Write(message)
	sum := h.Sum(nil)
	return append(sum, sum...)
}

func sealed(by key.IdentityPublic, message, signature []byte) bool {
	return bytes.Equal(seal(by, message), signature)
}

var config = Config{Tenant: acme, Network: office, Node: me, Verify: sealed}

// recordOf is a node's record with claims of its own.
func recordOf(id ident.Node, edit ...func(*control.Record)) control.Record {
	r := control.Record{Node: id, Identity: identities()[id%64], WG: key.WGPublic{byte(id), 1}, Name: fmt.Sprintf("machine-%d", id), Revision: 1, Speech: control.Speech{Speaks: control.Tunnels(1 + id%3)},
		Address4: netip.AddrFrom4([4]byte{10, 7, 0, byte(id)}), Address6: netip.AddrFrom16([16]byte{0xfd, 0, 0, 7, 15: byte(id)})}
	for _, f := range edit {
		f(&r)
	}
	return r
}

func peerOf(r control.Record) *pb.Peer {
	b := r.Encode()
	return &pb.Peer{Record: b, Signature: seal(r.Identity, control.Transcript(acme, office, b))}
}

func peer(id ident.Node, edit ...func(*control.Record)) *pb.Peer {
	return peerOf(recordOf(id, edit...))
}

func at(hard uint64) *pb.Cursor { return &pb.Cursor{Epoch: 1, Hard: hard, Boot: 9, Soft: hard} }

func net7() *pb.Network {
	return &pb.Network{Name: "office", Tenant: "acme", Domain: "office.acme.cvlan.internal",
		Range4: []byte{10, 7, 0, 0, 16}, Range6: control.AppendRange(nil, netip.MustParsePrefix("fd00:7::/64"))}
}

func selfOf(edit ...func(*control.Record)) *pb.Self {
	p := peer(me, edit...)
	return &pb.Self{Record: p.Record, Signature: p.Signature}
}

func snapshot(hard uint64, peers ...*pb.Peer) *pb.Map {
	return &pb.Map{To: at(hard), Snapshot: true, Network: net7(), Self: selfOf(), Upsert: peers}
}

func deltaOf(from, to uint64, peers ...*pb.Peer) *pb.Map {
	return &pb.Map{From: at(from), To: at(to), Upsert: peers}
}

// desk is a table with what its last map changed.
type desk struct {
	*Table
	t   testing.TB
	out Out
}

func newDesk(t testing.TB, maps ...*pb.Map) *desk {
	t.Helper()
	d := &desk{Table: New(config), t: t}
	d.apply(maps...)
	return d
}

func (d *desk) apply(maps ...*pb.Map) {
	d.t.Helper()
	for _, m := range maps {
		if err := d.Apply(m, &d.out); err != nil {
			d.t.Fatal(err)
		}
		check(d.t, d.Table)
	}
}

// events tells the last map's events: "+5" added, "-5" removed, "~5" changed, "'5" soft, "!5" refused, "S" self, "N" network; of plain
// devices, with a p: "+p5".
func (d *desk) events() string {
	signs := map[Kind]string{NetworkChanged: "N", SelfChanged: "S", PeerRemoved: "-", PeerRefused: "!", PeerChanged: "~", PeerAdded: "+", SoftChanged: "'",
		PlainRemoved: "-p", PlainRefused: "!p", PlainChanged: "~p", PlainAdded: "+p"}
	var b strings.Builder
	for _, e := range d.out.Events {
		b.WriteString(" " + signs[e.Kind])
		if e.Kind > SelfChanged {
			fmt.Fprint(&b, uint64(e.Node)+uint64(e.ID))
		}
	}
	return strings.TrimSpace(b.String())
}

func (d *desk) wants(events, peers string) {
	d.t.Helper()
	if got := d.events(); got != events {
		d.t.Errorf("events %q, want %q", got, events)
	}
	if got := list(d.Table); got != peers {
		d.t.Errorf("peers %q, want %q", got, peers)
	}
}

func (d *desk) refuses(id ident.Node, why string) {
	d.t.Helper()
	for n, w := range d.Refused() {
		if n == id && strings.Contains(w, why) {
			return
		}
	}
	d.t.Errorf("node %d is not left out because %q", uint64(id), why)
}

func list(t *Table) string {
	var b strings.Builder
	for p := range t.Peers() {
		fmt.Fprintf(&b, " %d", uint64(p.Record.Node))
		if p.Soft.Online {
			b.WriteByte('*')
		}
	}
	return strings.TrimSpace(b.String())
}

// plains tells the plain devices in order, those that are left out with the reason.
func plains(t *Table) string {
	var b strings.Builder
	for p := range t.Plains() {
		fmt.Fprintf(&b, " %d/%d", uint64(p.ID), p.Revision)
	}
	for id, why := range t.RefusedPlains() {
		fmt.Fprintf(&b, " !%d: %s", uint64(id), why)
	}
	return strings.TrimSpace(b.String())
}

// teller is what testing and rapid have in common.
type teller interface {
	Helper()
	Errorf(format string, args ...any)
}

// check holds a table to what is always true of it.
func check(t teller, x *Table) {
	t.Helper()
	seen := map[any]bool{}
	claim := func(k any) {
		if seen[k] {
			t.Errorf("%v is claimed twice", k)
		}
		seen[k] = true
	}
	if x.has {
		r := &x.self.Record
		for _, k := range []any{r.Node, r.Address4, r.Address6, r.Name, r.WG, r.Identity} {
			seen[k] = k != netip.Addr{}
		}
	}
	n, bytes := 0, 0
	for id, e := range x.entries {
		bytes += e.size()
		if !e.believed {
			if e.why == "" {
				t.Errorf("node %d is left out without a reason", uint64(id))
			}
			continue
		}
		n++
		r := &e.peer.Record
		claim(r.Node)
		for _, a := range addresses(r) {
			claim(a)
			if !x.network.Range4.Contains(a) && !x.network.Range6.Contains(a) || x.ByAddress(a) != e.peer {
				t.Errorf("address %s of node %d", a, uint64(id))
			}
		}
		claim(r.Name)
		claim(r.WG)
		claim(r.Identity)
		if x.ByName(r.Name) != e.peer || x.ByKey(r.WG) != e.peer || x.Peer(id) != e.peer || r.Node != id || !e.peer.Soft.equal(e.soft) {
			t.Errorf("node %d is not found, or is not itself", uint64(id))
		}
	}
	for p := range x.Plains() {
		for _, h := range p.Hosts() {
			if claim(h.Addr()); !x.network.Range4.Contains(h.Addr()) && !x.network.Range6.Contains(h.Addr()) {
				t.Errorf("address %s of plain device %d", h, uint64(p.ID))
			}
		}
		claim(p.Name)
		claim(p.WG)
		if x.Plain(p.ID) != p || x.devices[p.ID].plain != p {
			t.Errorf("plain device %d is not found, or is not itself", uint64(p.ID))
		}
	}
	if n != x.Len() || bytes != x.bytes || len(x.touched) > 0 {
		t.Errorf("%d peers counted as %d; %d bytes as %d; %d touched", n, x.Len(), bytes, x.bytes, len(x.touched))
	}
}

// same reports how two tables differ to their readers; "" if they do not.
func same(a, b *Table) string {
	if !reflect.DeepEqual(a.Cursor(), b.Cursor()) && fmt.Sprint(a.Cursor()) != fmt.Sprint(b.Cursor()) {
		return fmt.Sprintf("at %v and at %v", a.Cursor(), b.Cursor())
	}
	if a.network != b.network || !reflect.DeepEqual(a.self, b.self) {
		return "network or self"
	}
	if x, y := list(a), list(b); x != y {
		return fmt.Sprintf("peers %s and %s", x, y)
	}
	for p := range a.Peers() {
		if q := b.Peer(p.Record.Node); !reflect.DeepEqual(p.Record, q.Record) || !p.Soft.equal(q.Soft) {
			return fmt.Sprintf("peer %+v and %+v", p, q)
		}
	}
	if x, y := plains(a), plains(b); x != y {
		return fmt.Sprintf("plain devices %s and %s", x, y)
	}
	if x, y := fmt.Sprint(a.relays), fmt.Sprint(b.relays); x != y {
		return fmt.Sprintf("relays %s and %s", x, y)
	}
	var x, y []string
	for id, why := range a.Refused() {
		x = append(x, fmt.Sprint(uint64(id), why))
	}
	for id, why := range b.Refused() {
		y = append(y, fmt.Sprint(uint64(id), why))
	}
	if !reflect.DeepEqual(x, y) {
		return fmt.Sprintf("left out %v and %v", x, y)
	}
	return ""
}
