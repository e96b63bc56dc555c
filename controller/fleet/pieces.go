package fleet

import (
	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// pieces writes one update as messages of about control.MaxPiece.
type pieces struct {
	snapshot bool
	out      []*pb.RelayUpdate
	size     int // of the last one
}

// room returns the message that n more bytes go into.
func (p *pieces) room(n int) *pb.RelayUpdate {
	if len(p.out) == 0 || p.size+n > control.MaxPiece {
		p.out = append(p.out, &pb.RelayUpdate{Snapshot: p.snapshot && len(p.out) == 0})
		p.size = 0
	}
	p.size += n
	return p.out[len(p.out)-1]
}

func (p *pieces) neighbours(all []control.Relay, region []ident.Relay) {
	m := &pb.Relays{}
	for _, r := range all {
		m.Relays = append(m.Relays, r.Message())
	}
	piece := p.room(proto.Size(m) + 9*len(region))
	piece.Neighbours = m
	for _, id := range region {
		piece.Region = append(piece.Region, uint64(id))
	}
}

func (p *pieces) tenant(id ident.Tenant, authority []byte, former [][]byte) {
	t := &pb.RelayTenant{Id: uint64(id), Authority: authority, Former: former}
	m := p.room(proto.Size(t) + 4)
	m.Tenants = append(m.Tenants, t)
}

func (p *pieces) removed(n *pb.RemovedNode) {
	m := p.room(proto.Size(n) + 2)
	m.Removed = append(m.Removed, n)
}

// end returns the messages: at least one for a snapshot.
func (p *pieces) end() []*pb.RelayUpdate {
	if p.snapshot {
		p.room(0)
	}
	for i := range len(p.out) - 1 {
		p.out[i].More = true
	}
	return p.out
}
