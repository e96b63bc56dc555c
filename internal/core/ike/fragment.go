package ike

import "github.com/cvlan/cvlan/internal/core/ike/msg"

// pieces puts one fragmented message together (RFC 7383 §2.6). Every piece has proved authentic before it comes here. What is kept is
// at most msg.MaxFragments pieces and msg.MaxMessage bytes.
type pieces struct {
	id    uint32
	total uint16
	have  uint16
	bytes int
	first msg.PayloadType
	parts [][]byte
}

// add takes one, whose plain it keeps; whole is the message when all are there. A sender that had to make fragments smaller begins anew with more of
// them: those of before are of no use then, and those that come late are none either.
func (p *pieces) add(id uint32, f msg.SKF, plain []byte) (first msg.PayloadType, whole []byte, done bool) {
	if p.parts == nil || id != p.id || f.Total > p.total {
		*p = pieces{id: id, total: f.Total, parts: make([][]byte, f.Total)}
	}
	if f.Total != p.total || p.parts[f.Number-1] != nil || p.bytes+len(plain) > msg.MaxMessage {
		return 0, nil, false
	}
	p.parts[f.Number-1] = plain
	p.have++
	p.bytes += len(plain)
	if f.Number == 1 {
		p.first = f.First
	}
	if p.have < p.total {
		return 0, nil, false
	}
	whole = make([]byte, 0, p.bytes)
	for _, part := range p.parts {
		whole = append(whole, part...)
	}
	first = p.first
	*p = pieces{}
	return first, whole, true
}
