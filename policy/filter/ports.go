package filter

import (
	"math"
	"math/bits"
)

// ports is what a list decides about each port of a protocol, in two looks: a bit for each port at which something else begins to be decided, and what
// is decided then. 11 KB, and 2 bytes for each beginning: a cache holds many lists.
type ports struct {
	blocks   [1<<16/wide + 1]block
	verdicts []uint16 // as verdicts of 32 bits are; all ones: no rule
}

// wide is how many ports a block tells of.
const wide = 48

// block is a bit for each of its ports, the lowest first, and above them how many begin in the blocks before.
type block uint64

// verdict is what is decided about a service: where the rule's number stands among those of the Set, twice, and 1 more if it denies.
type verdict uint32

const noRule = ^verdict(0)

func (x span) verdict() verdict { return verdict(x.rule<<1 | x.first>>31) }

// newPorts returns nil if the number of a rule has no room.
func newPorts(spans []span, proto uint32) *ports {
	p := &ports{}
	begin := func(service uint32, v uint16) {
		if service>>16 != proto { // behind the last port
			return
		}
		port := uint16(service)
		if b, bit := &p.blocks[port/wide], block(1)<<(port%wide); *b&bit == 0 {
			*b |= bit
			p.verdicts = append(p.verdicts, v)
		} else { // nothing lies between two spans
			p.verdicts[len(p.verdicts)-1] = v
		}
	}
	begin(proto<<16, math.MaxUint16)
	for _, x := range spans {
		first := max(x.first&^denied, proto<<16)
		if first>>16 != proto || x.last < first {
			continue
		}
		v := x.verdict()
		if v >= math.MaxUint16 {
			return nil
		}
		begin(first, uint16(v))
		begin(x.last+1, math.MaxUint16)
	}
	before := 0
	for i := range p.blocks {
		n := bits.OnesCount64(uint64(p.blocks[i]))
		p.blocks[i] |= block(before) << wide
		before += n
	}
	return p
}

// judge returns what is decided about a port.
func (p *ports) judge(port uint16) verdict {
	b := p.blocks[port/wide]
	v := p.verdicts[int(b>>wide)+bits.OnesCount64(uint64(b<<(63-port%wide&63)))-1]
	if v == math.MaxUint16 {
		return noRule
	}
	return verdict(v)
}
