package netmap

import (
	"bytes"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// entry is one node as the controller told it, believed or not.
type entry struct {
	id        ident.Node
	raw       []byte // the record as it travels
	signature []byte
	fault     string // what is wrong with it by itself; "" if nothing is
	peer      *Peer  // replaced, never changed; nil if the record cannot be read
	told      *reach // its routes; nil if there are none
	soft      Soft
	staked    bool   // its claims are entered
	believed  bool   // it is a peer
	why       string // why it is left out
}

// size is what an entry counts for against MaxBytes.
func (e *entry) size() int { return len(e.raw) + len(e.signature) + routeSize*len(e.told.routes()) }

// routeSize is what a prefix counts for, at most 17 bytes long.
const routeSize = 24

// same reports whether p is what the entry was made of.
func (e *entry) same(p *pb.Peer) bool {
	return bytes.Equal(e.raw, p.Record) && bytes.Equal(e.signature, p.Signature)
}

// examine makes an entry of a node that the controller tells. What is in the table already is returned as it is and costs no
// second verification, nor does what has been in it. The identifier is zero if there is none to be read.
func (t *Table) examine(p *pb.Peer, verified bool) *entry {
	if len(p.Record) > control.MaxRecord {
		return &entry{fault: "its record is too long"}
	}
	id := peekNode(p.Record)
	if old := t.entries[id]; old != nil && old.same(p) {
		return old.placed(p)
	}
	if e := t.left.back(id, p); e != nil {
		return e
	}
	e := &entry{id: id, raw: p.Record, told: reachOf(p.Routes)}
	if len(p.Signature) <= key.SignatureSize {
		e.signature = p.Signature
	}
	r, err := control.ParseRecord(p.Record)
	if err != nil {
		e.fault = err.Error()
		return e
	}
	e.id, e.peer = r.Node, &Peer{Record: r, Class: p.Class, User: login(p.User)}
	switch {
	case r.Node == t.cfg.Node:
		e.fault = "it has this node's own identifier"
	case !verified && !t.verify(r.Identity, p.Record, e.signature):
		e.fault = "its signature does not hold"
	}
	return e
}

// placed returns the entry with the place that policy gives the node and the routes that are approved, which are not signed.
func (e *entry) placed(p *pb.Peer) *entry {
	user, told := login(p.User), reachOf(p.Routes)
	if e.peer == nil || e.peer.Class == p.Class && e.peer.User == user && slices.EqualFunc(e.told.routes(), told.routes(), bytes.Equal) {
		return e
	}
	o := *e
	o.peer, o.told, o.staked = &Peer{Record: e.peer.Record, Soft: e.peer.Soft, Class: p.Class, User: user}, told, false
	return &o
}

// routesOf returns what is told of a node's routes, as far as it is kept.
func routesOf(told [][]byte) [][]byte {
	told = told[:min(len(told), control.MaxRoutes)]
	for _, b := range told {
		if len(b) > routeSize {
			return nil
		}
	}
	return told
}

// reach is what is told of a node's routes. Most nodes have none.
type reach struct {
	told  [][]byte // as they came
	stray string   // why some of them are left out; "" if none is
}

func reachOf(told [][]byte) *reach {
	if told = routesOf(told); len(told) == 0 {
		return nil
	}
	return &reach{told: told}
}

func (r *reach) routes() [][]byte {
	if r == nil {
		return nil
	}
	return r.told
}

func (r *reach) fault() string {
	if r == nil {
		return ""
	}
	return r.stray
}

// route finds which of the routes that are told the network lets a node have.
func (e *entry) route(n *Network) {
	if e.peer == nil || e.told == nil && e.peer.routes == nil {
		return
	}
	routes, err := control.ParseRoutes(e.told.routes(), n.Range4, n.Range6)
	if e.told != nil {
		e.told = &reach{told: e.told.told}
		if err != nil {
			e.told.stray = err.Error()
		}
	}
	if !slices.Equal(routes, e.peer.Routes()) {
		changed := *e.peer
		changed.routes = nil
		if len(routes) > 0 {
			changed.routes = &routes
		}
		e.peer = &changed
	}
}

// maxUser bounds the name of an owner in bytes.
const maxUser = 254

// login is an owner's name if it may be shown as it is; a strange one is none.
func login(s string) string {
	if clean.Line(s, maxUser) != s {
		return ""
	}
	return s
}

// verify reports whether a signature is the one over record in this network.
func (t *Table) verify(by key.IdentityPublic, record, signature []byte) bool {
	return len(signature) == key.SignatureSize && t.cfg.Verify(by, control.Transcript(t.cfg.Tenant, t.cfg.Network, record), signature)
}

// peekNode reads the identifier out of a record and nothing else; zero if there is none.
func peekNode(record []byte) (id ident.Node) {
	for len(record) > 0 {
		field, kind, n := protowire.ConsumeTag(record)
		if n < 0 {
			return 0
		}
		record = record[n:]
		if field == 1 && kind == protowire.Fixed64Type {
			v, n := protowire.ConsumeFixed64(record)
			if n < 0 {
				return 0
			}
			id = ident.Node(v)
		}
		if n = protowire.ConsumeFieldValue(field, kind, record); n < 0 {
			return 0
		}
		record = record[n:]
	}
	return id
}
