package netmap

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// A stored map is magic (which ends in the version of the layout), the SHA-256 of the rest, and two Map messages, each with its
// length as a varint: a snapshot with the peers and all plain devices, and then the nodes that are left out. The checksum tells damage, not malice:
// whoever writes the state folder has the node's keys. Therefore the signatures of the first part are not verified again, which would take
// a core about a second for ten thousand peers; everything else is.
const (
	magic    = "cvlan netmap\x004"
	maxCache = 4 * MaxBytes // endpoints and plain devices come to the records and signatures
)

var (
	errNoMap    = errors.New("these bytes are no stored map of this version")
	errChecksum = errors.New("the checksum does not match")
)

// Encode returns the table for the disk; nil if it has no map. Equal tables give equal bytes.
func (t *Table) Encode() []byte {
	if !t.has {
		return nil
	}
	good, rest := t.messages()
	b := make([]byte, len(magic)+sha256.Size, len(magic)+sha256.Size+proto.Size(good)+proto.Size(rest)+8)
	copy(b, magic)
	for _, m := range []*pb.Map{good, rest} {
		b = protowire.AppendVarint(b, uint64(proto.Size(m)))
		b, _ = proto.MarshalOptions{Deterministic: true}.MarshalAppend(b, m) // fails on invalid UTF-8 only, which Apply refuses
	}
	sum := sha256.Sum256(b[len(magic)+sha256.Size:])
	copy(b[len(magic):], sum[:])
	return b
}

func (t *Table) messages() (good, rest *pb.Map) {
	n := &pb.Network{Name: t.network.Name, Tenant: t.network.Tenant, Domain: t.network.Domain, Closed: t.network.Closed, Protocol: uint32(t.network.Protocol),
		Range4: control.AppendRange(nil, t.network.Range4), Range6: control.AppendRange(nil, t.network.Range6)}
	self := &pb.Self{Record: t.self.Bytes, Signature: t.self.signature, Pending: t.self.Pending, User: t.self.User, Routes: t.self.told}
	good, rest = &pb.Map{To: t.at.message(), Snapshot: true, Network: n, Self: self, Relays: t.relaysMessage()}, &pb.Map{}
	if good.RulesName = t.rules.Name; good.RulesName != 0 {
		good.Rules = [][]byte{t.rules.Bytes}
	}
	if t.trust.Signing != (control.AuthorityID{}) {
		good.Authorities = t.trust.Message()
	}
	for _, id := range t.ids() {
		e := t.entries[id]
		m := rest
		if e.believed {
			m = good
		}
		p := &pb.Peer{Record: e.raw, Signature: e.signature, Routes: e.told.routes()}
		if e.peer != nil {
			p.Class, p.User = e.peer.Class, e.peer.User
		}
		m.Upsert = append(m.Upsert, p)
		if !e.soft.equal(Soft{}) {
			m.Soft = append(m.Soft, e.soft.message(uint64(id)))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(t.devices)) {
		p := new(pb.Plain)
		if proto.Unmarshal(t.devices[id].raw, p) == nil { // always: it was made by Marshal
			good.Plain = append(good.Plain, p)
		}
	}
	return good, rest
}

// Decode reads what Encode wrote for the same node. Its error is ErrDamaged, wrapped, also for a file that is empty: that there
// is no stored map at all is the caller's to know. A damaged map is of no use, and the controller sends a new one.
func Decode(cfg Config, b []byte) (*Table, error) {
	good, rest, err := split(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	t := New(cfg)
	s := newStage(good)
	if err := t.collect(s, good, true); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err := t.collect(s, rest, false); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err := t.commit(s, new(Out)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return t, nil
}

// split checks the shell of a stored map and takes it apart.
func split(b []byte) (good, rest *pb.Map, err error) {
	if len(b) > maxCache {
		return nil, nil, fmt.Errorf("%d bytes, at most %d are allowed", len(b), maxCache)
	}
	head := len(magic) + sha256.Size
	if len(b) < head || string(b[:len(magic)]) != magic {
		return nil, nil, errNoMap
	}
	if sum := sha256.Sum256(b[head:]); !bytes.Equal(sum[:], b[len(magic):head]) {
		return nil, nil, errChecksum
	}
	good, rest = new(pb.Map), new(pb.Map)
	b = b[head:]
	for _, m := range []*pb.Map{good, rest} {
		body, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return nil, nil, protowire.ParseError(n)
		}
		if err := proto.Unmarshal(body, m); err != nil {
			return nil, nil, err
		}
		b = b[n:]
	}
	if len(b) > 0 || !good.Snapshot || good.To == nil {
		return nil, nil, errNoMap
	}
	return good, rest, nil
}
