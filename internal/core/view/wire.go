package view

import (
	"encoding/binary"
	"net/netip"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// Field numbers of control.proto that are written here by hand, so that an object's bytes can be kept and copied.
// TestHandWrittenBytesAreTheMessages holds them to the generated code.
const (
	frameMap = 7

	mapFrom      = 1
	mapTo        = 2
	mapSnapshot  = 3
	mapMore      = 4
	mapNetwork   = 5
	mapSelf      = 6
	mapUpsert    = 7
	mapRemove    = 8
	mapSoft      = 9
	mapPlain     = 10
	mapNoPlain   = 11
	mapRelays    = 12
	mapRules     = 13
	mapRulesName = 14
	mapTrust     = 15

	peerRecord    = 1
	peerSignature = 2
	selfPending   = 3
	peerClass     = 4
	peerUser      = 5
	peerRoutes    = 6

	softNode     = 1
	softOnline   = 2
	softEndpoint = 3
	softLastSeen = 4
	softHome     = 5
	softKinds    = 6
)

const maxVarint = binary.MaxVarintLen64

func appendVarint(b []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func appendFixed64(b []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendFixed64(protowire.AppendTag(b, field, protowire.Fixed64Type), v)
}

func appendBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

func appendTrue(b []byte, field protowire.Number) []byte { return appendVarint(b, field, 1) }

// maxUser bounds the name of an owner in bytes.
const maxUser = 254

// peerBody is how the body of a Peer begins. A Self has the same fields, so the same bytes serve both.
func peerBody(record, signature []byte, routes []netip.Prefix) []byte {
	b := make([]byte, 0, len(record)+len(signature)+24+20*len(routes))
	b = appendBytes(b, peerRecord, record)
	if len(signature) > 0 {
		b = appendBytes(b, peerSignature, signature)
	}
	var room [17]byte
	for _, p := range routes {
		b = appendBytes(b, peerRoutes, control.AppendRange(room[:0], p))
	}
	return b
}

// appendPolicy appends what policy adds to it.
func appendPolicy(b []byte, class uint64, user string) []byte {
	b = appendFixed64(b, peerClass, class)
	if user != "" {
		b = protowire.AppendString(protowire.AppendTag(b, peerUser, protowire.BytesType), user)
	}
	return b
}

// appendSelf appends the field Map.self.
func appendSelf(b, peer []byte, pending bool) []byte {
	n := len(peer)
	if pending {
		n += 2
	}
	b = protowire.AppendVarint(protowire.AppendTag(b, mapSelf, protowire.BytesType), uint64(n))
	b = append(b, peer...)
	if pending {
		b = appendTrue(b, selfPending)
	}
	return b
}

// appendSoftBody appends the body of a Soft. The default is its node's identifier and nothing else.
func appendSoftBody(b []byte, id ident.Node, s Soft) []byte {
	b = appendFixed64(b, softNode, uint64(id))
	if s.Online {
		b = appendTrue(b, softOnline)
	}
	var room [18]byte
	var kinds [MaxEndpoints]byte
	n := 0
	for i, e := range s.Endpoints {
		w := control.AppendEndpoint(room[:0], e)
		if _, ok := control.ParseEndpoint(w); !ok || n == MaxEndpoints {
			continue
		}
		b = appendBytes(b, softEndpoint, w)
		if i < len(s.Kinds) {
			kinds[n] = s.Kinds[i]
		}
		n++
	}
	if !s.Online && s.LastSeen.Unix() > 0 {
		b = appendVarint(b, softLastSeen, uint64(s.LastSeen.Unix()))
	}
	b = appendFixed64(b, softHome, uint64(s.HomeRelay))
	if n > 0 && len(s.Kinds) > 0 {
		b = appendBytes(b, softKinds, kinds[:n])
	}
	return b
}

// networkField is the whole field Map.network.
func networkField(n Network) ([]byte, error) {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(&pb.Network{
		Name: n.Name, Tenant: n.Tenant, Domain: n.Domain, Closed: !n.Open, Protocol: uint32(n.Protocol),
		Range4: control.AppendRange(nil, n.Range4), Range6: control.AppendRange(nil, n.Range6),
	})
	return appendBytes(nil, mapNetwork, body), err
}

// pieces writes one snapshot or delta as frames of about limit bytes.
type pieces struct {
	limit int
	head  int    // how much of buf every piece begins with
	buf   []byte // the Map under way
	out   [][]byte
	some  bool // something was added
}

// begin starts with the fields that every piece carries. The buffer is reused.
func (p *pieces) begin(limit int, from *Cursor, to Cursor) {
	p.limit, p.out, p.some, p.buf = limit, nil, false, p.buf[:0]
	if from != nil {
		p.buf = from.append(p.buf, mapFrom)
	}
	p.buf = to.append(p.buf, mapTo)
	p.head = len(p.buf)
}

// room ends the piece under way if n more bytes would make it too long.
func (p *pieces) room(n int) {
	p.some = true
	if len(p.buf) > p.head && len(p.buf)+n > p.limit {
		p.cut(true)
	}
}

func (p *pieces) cut(more bool) {
	body := p.buf
	if more {
		body = appendTrue(body, mapMore)
	}
	p.out = append(p.out, frame(body))
	p.buf = p.buf[:p.head]
}

// network appends a whole field.
func (p *pieces) network(field []byte) {
	p.room(len(field))
	p.buf = append(p.buf, field...)
}

func (p *pieces) self(m *member) {
	p.room(len(m.self()) + 8)
	p.buf = appendSelf(p.buf, m.self(), m.pending)
}

func (p *pieces) upsert(m *member) {
	p.room(len(m.peer) + 4)
	p.buf = appendBytes(p.buf, mapUpsert, m.peer)
}

func (p *pieces) remove(m *member) {
	p.room(9)
	p.buf = appendFixed64(p.buf, mapRemove, uint64(m.id)) // not packed: every reader takes both forms
}

func (p *pieces) soft(m *member) {
	p.room(len(m.soft) + 12)
	if m.soft == nil {
		var room [1 + 8]byte
		p.buf = appendBytes(p.buf, mapSoft, appendFixed64(room[:0], softNode, uint64(m.id)))
		return
	}
	p.buf = appendBytes(p.buf, mapSoft, m.soft)
}

// rules appends what the receiver may do, cut into parts if need be.
func (p *pieces) rules(name uint64, body []byte) {
	for {
		part := body[:min(len(body), p.limit/2)]
		p.room(len(part) + 16)
		p.buf = appendBytes(p.buf, mapRules, part)
		if body = body[len(part):]; len(body) == 0 {
			p.buf = appendFixed64(p.buf, mapRulesName, name)
			return
		}
	}
}

// plain tells that a device is there, or that it is gone.
func (p *pieces) plain(d *device) {
	p.room(len(d.entry) + 12)
	if d.entry == nil {
		p.buf = appendFixed64(p.buf, mapNoPlain, uint64(d.id))
		return
	}
	p.buf = appendBytes(p.buf, mapPlain, d.entry)
}

// end returns the frames: at least one, which may be empty but for its head.
func (p *pieces) end(more bool) [][]byte {
	p.cut(more)
	return p.out
}

// frame wraps the bytes of a Map into a Frame with its length.
func frame(body []byte) []byte {
	n := protowire.SizeTag(frameMap) + protowire.SizeBytes(len(body))
	b := make([]byte, 0, protowire.SizeVarint(uint64(n))+n)
	b = protowire.AppendVarint(b, uint64(n))
	return appendBytes(b, frameMap, body)
}
