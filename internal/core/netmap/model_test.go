package netmap

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/core/view"
	"github.com/cvlan/cvlan/proto/control"
)

// The model: a database as simple as can be, a controller's View in front of it, and a Table for each node that ever was, with a
// line between them that loses what is on its way when it breaks. Whatever happens, once everybody is connected and all is
// delivered, each table is the truth.

// books is the database.
type books struct {
	epoch, hard, floor uint64
	networks           map[ident.Network]view.Network
	networkVersions    map[ident.Network]uint64
	nodes              map[ident.Node]row
	plains             map[ident.Plain]plainRow
	tombs              []view.Tombstone
}

type row struct {
	record  control.Record
	network ident.Network
	signed  bool
	pending bool
	routes  []netip.Prefix
	version uint64
}

func (r row) shown() bool { return r.signed && !r.pending }

func (r row) node() view.Node {
	n := view.Node{ID: r.record.Node, Network: r.network, Record: r.record.Encode(), Pending: r.pending, Routes: r.routes}
	if r.signed {
		n.Signature = seal(r.record.Identity, control.Transcript(acme, r.network, n.Record))
	}
	return n
}

func (b books) copy() books {
	b.networks, b.networkVersions, b.nodes = maps.Clone(b.networks), maps.Clone(b.networkVersions), maps.Clone(b.nodes)
	b.plains, b.tombs = maps.Clone(b.plains), slices.Clone(b.tombs)
	return b
}

// end is a node with its table and its line.
type end struct {
	id      ident.Node
	network ident.Network
	table   *Table
	session *view.Session
	line    [][]byte // sent and not yet received
	dirty   bool
	resumed bool // has lived through another boot, so that faded soft state may be left
}

type world struct {
	books
	backup    *books
	view      *view.View
	boot      uint64
	soft      map[ident.Node]view.Soft
	ends      map[ident.Node]*end
	order     []ident.Node // of all ends
	lastNode  ident.Node
	lastPlain ident.Plain
	newest    uint64 // epoch
	relays    []control.Relay
}

func newWorld(t *rapid.T) *world {
	w := &world{ends: map[ident.Node]*end{}, newest: 1,
		books: books{epoch: 1, networks: map[ident.Network]view.Network{}, networkVersions: map[ident.Network]uint64{}, nodes: map[ident.Node]row{}, plains: map[ident.Plain]plainRow{}}}
	w.start(t)
	for i, id := range []ident.Network{7, 8} {
		w.putNetwork(t, view.Network{ID: id, Name: fmt.Sprintf("net-%d", id), Tenant: "acme", Domain: "a.internal", Open: i == 0,
			Range4: netip.MustParsePrefix("10.7.0.0/16"), Range6: netip.MustParsePrefix("fd00:7::/64")})
	}
	for range 5 {
		w.join(t)
	}
	w.quiesce(t)
	return w
}

// start makes a controller from the database; all lines break.
func (w *world) start(t *rapid.T) {
	w.boot++
	w.soft = map[ident.Node]view.Soft{}
	w.view = view.New(view.Config{Epoch: w.epoch, Boot: w.boot, Hard: w.hard, Floor: w.floor, Piece: 600, Tombstones: 4})
	for _, id := range slices.Sorted(maps.Keys(w.networks)) {
		must(t)(w.view.PutNetwork(w.networks[id], w.networkVersions[id]))
	}
	load := map[uint64]func() (view.Change, error){}
	for _, r := range w.nodes {
		load[r.version] = func() (view.Change, error) { return w.view.PutNode(r.node(), r.version) }
	}
	for _, r := range w.plains {
		load[r.version] = func() (view.Change, error) { return w.view.PutPlain(r.plain(), r.version) }
	}
	for _, tomb := range w.tombs {
		load[tomb.Version] = func() (view.Change, error) { return w.removed(tomb) }
	}
	for _, version := range slices.Sorted(maps.Keys(load)) {
		must(t)(load[version]())
	}
	w.view.SetRelays(w.relays)
	for _, e := range w.ends {
		e.session, e.line, e.resumed = nil, nil, true
	}
}

func (w *world) removed(tomb view.Tombstone) (view.Change, error) {
	if tomb.Plain != 0 {
		return w.view.RemovePlain(tomb)
	}
	return w.view.RemoveNode(tomb)
}

// pick draws one of n, all as likely: rapid's own integers prefer the small ones, which leads to few histories worth having.
func pick(t *rapid.T, n int) int {
	v := 0
	for range 16 {
		v *= 2
		if rapid.Bool().Draw(t, "bit") {
			v++
		}
	}
	return v * n >> 16
}

// oneIn draws true once in n times.
func oneIn(t *rapid.T, n int) bool { return pick(t, n) == n-1 }

func oneOf[T any](t *rapid.T, from []T) T { return from[pick(t, len(from))] }

func must(t *rapid.T) func(view.Change, error) view.Change {
	return func(c view.Change, err error) view.Change {
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// tell marks the audience of a change.
func (w *world) tell(c view.Change) {
	for _, id := range w.view.Audience(nil, c) {
		if e := w.ends[id]; e != nil {
			e.dirty = true
		}
	}
}

func (w *world) putNetwork(t *rapid.T, n view.Network) {
	w.hard++
	w.networks[n.ID], w.networkVersions[n.ID] = n, w.hard
	w.tell(must(t)(w.view.PutNetwork(n, w.hard)))
}

func (w *world) putNode(t *rapid.T, r row) {
	w.hard++
	r.version = w.hard
	w.nodes[r.record.Node] = r
	w.tell(must(t)(w.view.PutNode(r.node(), w.hard)))
}

// route changes what is forwarded through a node.
func (w *world) route(t *rapid.T) {
	r := w.some(t)
	r.routes = nil
	for _, p := range []string{"0.0.0.0/0", "192.168.1.0/24", "fd12::/64"} {
		if pick(t, 2) == 0 {
			r.routes = append(r.routes, netip.MustParsePrefix(p))
		}
	}
	w.putNode(t, r)
}

// freeName is a name that nobody has in a network; there are few, so that nodes take each other's former names.
func (w *world) freeName(t *rapid.T, id ident.Network) string {
	taken := map[string]bool{}
	for _, r := range w.nodes {
		taken[r.record.Name] = taken[r.record.Name] || r.network == id
	}
	var free []string
	for i := range 40 {
		if n := fmt.Sprintf("machine-%d", i); !taken[n] {
			free = append(free, n)
		}
	}
	return oneOf(t, free[:3])
}

func (w *world) some(t *rapid.T) row {
	for len(w.nodes) == 0 {
		w.join(t)
	}
	return w.nodes[oneOf(t, slices.Sorted(maps.Keys(w.nodes)))]
}

// someEnd returns a node of the database that is connected, or is not; nil if there is none.
func (w *world) someEnd(t *rapid.T, connected bool) *end {
	var ids []ident.Node
	for _, id := range w.order {
		if _, there := w.nodes[id]; there && (w.ends[id].session != nil) == connected {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return w.ends[oneOf(t, ids)]
}

func (w *world) join(t *rapid.T) {
	if w.lastNode == 48 { // there are keys for no more
		return
	}
	w.lastNode++
	network := oneOf(t, []ident.Network{7, 7, 7, 8})
	name := w.freeName(t, network)
	r := row{network: network, pending: oneIn(t, 8), signed: !oneIn(t, 4),
		record: recordOf(w.lastNode, func(r *control.Record) { r.Name = name })}
	c := config
	c.Node, c.Network = w.lastNode, network
	w.ends[w.lastNode] = &end{id: w.lastNode, network: network, table: New(c)}
	w.order = append(w.order, w.lastNode)
	w.putNode(t, r)
}

func (w *world) sign(t *rapid.T) {
	r := w.some(t)
	r.signed = true
	w.putNode(t, r)
}

func (w *world) rename(t *rapid.T) {
	r := w.some(t)
	r.record.Name = w.freeName(t, r.network)
	r.record.Revision++
	r.signed = !oneIn(t, 3)
	w.putNode(t, r)
}

func (w *world) approve(t *rapid.T) {
	r := w.some(t)
	r.pending = !r.pending
	w.putNode(t, r)
}

func (w *world) remove(t *rapid.T) {
	r := w.some(t)
	w.hard++
	tomb := view.Tombstone{Node: r.record.Node, Network: r.network, Version: w.hard, At: time.Unix(int64(w.hard), 0)}
	delete(w.nodes, tomb.Node)
	delete(w.soft, tomb.Node)
	w.tombs = append(w.tombs, tomb)
	w.tell(must(t)(w.view.RemoveNode(tomb)))
	for _, id := range slices.Sorted(maps.Keys(w.plains)) { // it takes itself off the lists
		if r := w.plains[id]; slices.Contains(r.nodes, tomb.Node) {
			r.nodes = slices.DeleteFunc(slices.Clone(r.nodes), func(n ident.Node) bool { return n == tomb.Node })
			w.putPlain(t, r)
		}
	}
}

func (w *world) change(t *rapid.T) {
	n := w.networks[oneOf(t, []ident.Network{7, 8})]
	if oneIn(t, 2) {
		n.Open = !n.Open
	} else {
		n.Domain = fmt.Sprintf("d%d.internal", w.hard)
	}
	w.putNetwork(t, n)
}

func (w *world) report(t *rapid.T) {
	id := w.some(t).record.Node
	s := view.Soft{Online: !oneIn(t, 3), HomeRelay: ident.Relay(pick(t, 3))}
	for range pick(t, 3) {
		s.Endpoints = append(s.Endpoints, netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), uint16(1+pick(t, 3))))
		s.Kinds = append(s.Kinds, byte(pick(t, 3)))
	}
	if !s.Online && oneIn(t, 2) {
		s.LastSeen = time.Unix(int64(1000+w.hard), 0)
	}
	w.soft[id] = s
	w.tell(w.view.SetSoft(id, s))
}

// changeRelays adds relays, takes them away, or lets them stop.
func (w *world) changeRelays(t *rapid.T) {
	w.relays = nil
	for id := range ident.Relay(pick(t, 4)) {
		w.relays = append(w.relays, control.Relay{ID: id + 1, Name: "relay", Addresses: []string{"192.0.2.9:8443"}, Draining: oneIn(t, 3)})
	}
	w.tell(w.view.SetRelays(w.relays))
}

func (w *world) connect(t *rapid.T) {
	if e := w.someEnd(t, false); e != nil {
		w.resume(t, e)
	}
}

func (w *world) resume(t *rapid.T, e *end) {
	e.table.Begin()
	if e.table.Cursor() != nil && oneIn(t, 4) {
		x, err := Decode(e.table.cfg, e.table.Encode())
		if err != nil {
			t.Fatal(err)
		}
		e.table = x
	}
	s, err := w.view.Resume(e.id, e.table.Cursor(), e.table.Rules().Name)
	if err != nil {
		t.Fatal(err)
	}
	e.session, e.line, e.dirty = s, nil, true
}

func (w *world) disconnect(t *rapid.T) {
	if e := w.someEnd(t, true); e != nil {
		e.session, e.line = nil, nil
	}
}

// flush sends to one node until the line takes no more.
func (w *world) flush(t *rapid.T) {
	if e := w.someEnd(t, true); e != nil {
		w.send(e, 1+pick(t, 3))
	}
}

func (w *world) send(e *end, frames int) {
	for ; e.dirty && frames > 0; frames-- {
		b := e.session.Next()
		if b == nil {
			e.dirty = false
			return
		}
		e.session.Sent()
		e.line = append(e.line, b)
	}
	if e.dirty {
		e.session.Next() // a frame that the line does not take
	}
}

func (w *world) deliver(t *rapid.T) {
	if e := w.someEnd(t, true); e != nil {
		w.receive(t, e, min(len(e.line), 1+pick(t, 3)))
	}
}

func (w *world) receive(t *rapid.T, e *end, frames int) {
	var out Out
	for _, b := range e.line[:frames] {
		f, err := control.ReadFrame(bufio.NewReader(bytes.NewReader(b)), 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.table.Apply(f.GetMap(), &out); err != nil {
			t.Fatalf("node %d: %v: %v", uint64(e.id), err, f)
		}
	}
	e.line = e.line[frames:]
}

// back takes a backup, or goes back to the one there is.
func (w *world) back(t *rapid.T) {
	switch {
	case w.backup == nil:
		b := w.books.copy()
		w.backup = &b
	default:
		w.books = w.backup.copy()
		w.newest++
		w.epoch = w.newest
		w.backup = nil
		w.start(t)
	}
}

// forget lets the view and the database forget old deletions, each as it likes.
func (w *world) forget(t *rapid.T) {
	w.view.Expire(time.Unix(int64(pick(t, int(w.hard)+1)), 0))
	n := pick(t, len(w.tombs)+1)
	for _, tomb := range w.tombs[:n] {
		w.floor = tomb.Version
	}
	w.tombs = slices.Clone(w.tombs[n:])
}

// quiesce connects everybody, delivers everything, and compares.
func (w *world) quiesce(t *rapid.T) {
	for _, id := range slices.Sorted(maps.Keys(w.nodes)) {
		e := w.ends[id]
		if e.session == nil || e.session.Gone() {
			w.resume(t, e)
		}
		for e.dirty || len(e.line) > 0 {
			w.send(e, 2)
			w.receive(t, e, len(e.line))
		}
		if b := e.session.Next(); b != nil {
			t.Fatalf("node %d was not told that there is more", uint64(id))
		}
		w.compare(t, e)
		w.unchanged(t, e)
	}
}

// unchanged holds a resume with nothing new to what it may cost.
func (w *world) unchanged(t *rapid.T, e *end) {
	s, err := w.view.Resume(e.id, e.table.Cursor(), e.table.Rules().Name)
	if err != nil {
		t.Fatal(err)
	}
	if b := s.Next(); len(b) > 80 {
		t.Fatalf("node %d has everything and gets %d bytes: %q", uint64(e.id), len(b), b)
	}
	if s.Sent(); s.Next() != nil {
		t.Fatalf("node %d has everything and gets more", uint64(e.id))
	}
}

func (w *world) compare(t *rapid.T, e *end) {
	me, home := w.nodes[e.id], w.networks[e.network]
	n, _ := e.table.Network()
	if want := (Network{Name: home.Name, Tenant: home.Tenant, Range4: home.Range4, Range6: home.Range6, Domain: home.Domain, Closed: !home.Open}); n != want {
		t.Fatalf("node %d has network %+v, want %+v", uint64(e.id), n, want)
	}
	self, _ := e.table.Self()
	if !reflect.DeepEqual(self.Record, me.record) || self.Signed != me.signed || self.Pending != me.pending {
		t.Fatalf("node %d has self %+v, want %+v", uint64(e.id), self, me)
	}
	for id, why := range e.table.Refused() {
		t.Fatalf("node %d leaves %d out: %s", uint64(e.id), uint64(id), why)
	}
	visible := 0
	for id, r := range w.nodes {
		if !home.Open || me.pending || id == e.id || r.network != e.network || !r.shown() {
			continue
		}
		visible++
		w.compareOne(t, e, id, r)
	}
	if e.table.Len() != visible {
		t.Fatalf("node %d has %d peers (%s), want %d", uint64(e.id), e.table.Len(), list(e.table), visible)
	}
	if got := slices.Collect(e.table.Relays()); (home.Open && !me.pending) != (len(got) > 0) && len(w.relays) > 0 ||
		len(got) > 0 && !slices.EqualFunc(got, w.relays, control.Relay.Equal) {
		t.Fatalf("node %d has relays %+v, want %+v", uint64(e.id), got, w.relays)
	}
	w.compareDevices(t, e, home.Open && !me.pending)
	check(t, e.table)
}

func (w *world) compareOne(t *rapid.T, e *end, id ident.Node, r row) {
	p := e.table.Peer(id)
	if p == nil || !reflect.DeepEqual(p.Record, r.record) || !slices.Equal(p.Routes(), r.routes) {
		t.Fatalf("node %d has of %d %+v, want %+v", uint64(e.id), uint64(id), p, r)
	}
	s, told := w.soft[id]
	if want := (Soft{Online: s.Online, Endpoints: s.Endpoints, LastSeen: s.LastSeen, Kinds: string(s.Kinds), HomeRelay: s.HomeRelay}); p.Soft.equal(want) {
		return
	}
	if told && (s.Online || len(s.Endpoints) > 0 || !s.LastSeen.IsZero() || !s.HomeRelay.IsZero()) || !e.resumed || p.Soft.Online {
		t.Fatalf("node %d has of %d %+v, want %+v", uint64(e.id), uint64(id), p.Soft, s)
	}
}

// work is what may happen, with how often it does.
var work = []struct {
	often int
	does  func(*world, *rapid.T)
}{
	{6, (*world).join}, {6, (*world).sign}, {6, (*world).rename}, {3, (*world).approve}, {4, (*world).route}, {6, (*world).remove}, {3, (*world).change}, {12, (*world).report}, {4, (*world).changeRelays}, {4, (*world).device}, {6, (*world).changeDevice},
	{16, (*world).connect}, {6, (*world).disconnect}, {24, (*world).flush}, {24, (*world).deliver}, {6, (*world).quiesce},
	{4, (*world).start}, {2, (*world).back}, {4, (*world).forget},
}

func TestEveryTableBecomesTheTruth(t *testing.T) {
	identities()
	var deck []func(*world, *rapid.T)
	for _, k := range work {
		deck = append(deck, slices.Repeat([]func(*world, *rapid.T){k.does}, k.often)...)
	}
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range pick(t, 200) {
			oneOf(t, deck)(w, t)
		}
		w.quiesce(t)
	})
}
