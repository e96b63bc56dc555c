package view

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

const office, lab ident.Network = 7, 8

// stage is a View with a history that counts its own versions.
type stage struct {
	t    testing.TB
	view *View
	hard uint64
}

func newStage(t testing.TB, cfg Config) *stage {
	cfg.Epoch, cfg.Boot = max(cfg.Epoch, 1), max(cfg.Boot, 1)
	s := &stage{t: t, view: New(cfg), hard: cfg.Hard}
	s.network(office, true)
	return s
}

func (s *stage) next() uint64 { s.hard++; return s.hard }

func (s *stage) must(c Change, err error) Change {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func networkOf(id ident.Network, open bool) Network {
	return Network{ID: id, Name: fmt.Sprintf("net-%d", id), Tenant: "acme", Domain: fmt.Sprintf("net-%d.acme.cvlan.internal", id), Open: open,
		Range4: netip.MustParsePrefix("10.7.0.0/16"), Range6: netip.MustParsePrefix("fd00:7::/64")}
}

func (s *stage) network(id ident.Network, open bool) Change {
	s.t.Helper()
	return s.must(s.view.PutNetwork(networkOf(id, open), s.next()))
}

// nodeOf is a signed node of the office whose record is as long as a real one; edit changes it.
func nodeOf(id ident.Node, edit ...func(*Node)) Node {
	r := control.Record{Node: id, WG: key.WGPublic{byte(id), byte(id >> 8), byte(id >> 16), 1}, Name: fmt.Sprintf("machine-%d", id), Revision: 1,
		Address4: netip.AddrFrom4([4]byte{10, 7, byte(id >> 8), byte(id)}),
		Address6: netip.AddrFrom16([16]byte{0xfd, 0, 0, 7, 12: byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)})}
	n := Node{ID: id, Network: office, Record: r.Encode(), Signature: bytes.Repeat([]byte{byte(id)}, key.SignatureSize)}
	for _, f := range edit {
		f(&n)
	}
	return n
}

func pending(n *Node)  { n.Pending = true }
func unsigned(n *Node) { n.Signature = nil }
func inLab(n *Node)    { n.Network = lab }
func renamed(n *Node)  { n.Record = append(n.Record, 0x40, 9) } // a field more

func (s *stage) node(id ident.Node, edit ...func(*Node)) Change {
	s.t.Helper()
	return s.must(s.view.PutNode(nodeOf(id, edit...), s.next()))
}

func (s *stage) remove(id ident.Node) Change {
	s.t.Helper()
	return s.must(s.view.RemoveNode(Tombstone{Node: id, Network: office, Version: s.next()}))
}

func (s *stage) told(c Change) string {
	var b strings.Builder
	for _, id := range s.view.Audience(nil, c) {
		fmt.Fprintf(&b, "%d ", uint64(id))
	}
	return strings.TrimSpace(b.String())
}

// reader is a node as simple as can be: it keeps what it is told.
type reader struct {
	*stage
	session *Session
	cursor  *pb.Cursor
	open    *pb.Map // pieces
	network *pb.Network
	self    *pb.Self
	peers   map[ident.Node]*pb.Peer
	soft    map[ident.Node]*pb.Soft
	plain   map[ident.Plain]*pb.Plain
	bytes   int // of the last call of read
	frames  int
	snapped bool // the last call of read brought a snapshot

	rules     []byte
	rulesName uint64
}

func (s *stage) reader(id ident.Node) *reader {
	s.t.Helper()
	r := &reader{stage: s}
	r.resume(id)
	return r
}

func (r *reader) resume(id ident.Node) {
	r.t.Helper()
	session, err := r.view.Resume(id, r.cursor, r.rulesName)
	if err != nil {
		r.t.Fatal(err)
	}
	r.session, r.open = session, nil
}

// read takes frames until there are none, and returns the last map as a whole.
func (r *reader) read() *pb.Map {
	r.t.Helper()
	r.bytes, r.frames, r.snapped = 0, 0, false
	var last *pb.Map
	for b := r.session.Next(); b != nil; b = r.session.Next() {
		r.session.Sent()
		if m := r.take(b); m != nil {
			last = m
		}
	}
	return last
}

func (r *reader) take(b []byte) *pb.Map {
	r.t.Helper()
	r.bytes += len(b)
	r.frames++
	in := bufio.NewReader(bytes.NewReader(b))
	f, err := control.ReadFrame(in, 0)
	if err != nil || in.Buffered() > 0 || f.GetMap() == nil {
		r.t.Fatalf("not one map: %v, %d bytes left: %v", err, in.Buffered(), f)
	}
	m := f.GetMap()
	switch {
	case m.Snapshot:
		r.open = m
	case r.open != nil:
		if !proto.Equal(r.open.To, m.To) || !proto.Equal(r.open.From, m.From) {
			r.t.Fatalf("piece %v to %v after %v to %v", m.From, m.To, r.open.From, r.open.To)
		}
		proto.Merge(r.open, m)
	default:
		if !proto.Equal(m.From, r.cursor) {
			r.t.Fatalf("a delta from %v to a node at %v", m.From, r.cursor)
		}
		r.open = m
	}
	if m.More {
		return nil
	}
	whole := r.open
	r.open = nil
	r.apply(whole)
	return whole
}

func (r *reader) apply(m *pb.Map) {
	if m.Snapshot || r.soft == nil || m.From.Boot != m.To.Boot {
		r.soft = map[ident.Node]*pb.Soft{}
	}
	if m.RulesName != 0 {
		r.rules, r.rulesName = bytes.Join(m.Rules, nil), m.RulesName
	}
	if m.Snapshot {
		r.snapped = true
		r.peers = map[ident.Node]*pb.Peer{}
		r.plain = map[ident.Plain]*pb.Plain{}
	}
	for _, id := range m.Remove {
		delete(r.peers, ident.Node(id))
		delete(r.soft, ident.Node(id))
	}
	for _, id := range m.RemovePlain {
		delete(r.plain, ident.Plain(id))
	}
	for _, p := range m.Plain {
		r.plain[ident.Plain(p.Id)] = p
	}
	for _, p := range m.Upsert {
		rec := new(pb.Record)
		if err := proto.Unmarshal(p.Record, rec); err != nil {
			r.t.Fatal(err)
		}
		if id := ident.Node(rec.Node); id != r.session.Node() {
			r.peers[id] = p
		}
	}
	for _, s := range m.Soft {
		r.soft[ident.Node(s.Node)] = s
	}
	if m.Network != nil {
		r.network = m.Network
	}
	if m.Self != nil {
		r.self = m.Self
	}
	r.cursor = m.To
}

// sees tells the peers in order, those online with a star.
func (r *reader) sees() string {
	var ids []ident.Node
	for id := range r.peers {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var b strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&b, "%d", uint64(id))
		if r.soft[id].GetOnline() {
			b.WriteByte('*')
		}
		b.WriteByte(' ')
	}
	return strings.TrimSpace(b.String())
}

func (r *reader) wants(sees string) {
	r.t.Helper()
	if got := r.sees(); got != sees {
		r.t.Errorf("node %d sees %q, want %q", uint64(r.session.Node()), got, sees)
	}
}
