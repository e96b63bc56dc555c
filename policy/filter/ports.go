package filter

import "math/bits"

// ports is what a list decides about each port of a protocol, in two looks: a bit for each port at which something else begins to be decided, and what
// is decided then. 16 KB, and 4 bytes for each beginning.
type ports struct {
	blocks   [1 << 16 / 64]block
	verdicts []verdict
}

// block tells of 64 ports.
type block struct {
	begins uint64
	before uint32 // how many begin in the blocks before
}

// verdict is what is decided about a service: where the rule's number stands among those of the Set, twice, and 1 more if it denies.
type verdict uint32

const noRule = ^verdict(0)

func (x span) verdict() verdict { return verdict(x.rule<<1 | x.first>>31) }

func newPorts(spans []span, proto uint32) *ports {
	p := &ports{}
	begin := func(service uint32, v verdict) {
		if service>>16 != proto { // behind the last port
			return
		}
		if b, bit := &p.blocks[uint16(service)>>6], uint64(1)<<(service&63); b.begins&bit == 0 {
			b.begins |= bit
			p.verdicts = append(p.verdicts, v)
		} else { // nothing lies between two spans
			p.verdicts[len(p.verdicts)-1] = v
		}
	}
	begin(proto<<16, noRule)
	for _, x := range spans {
		first := max(x.first&^denied, proto<<16)
		if first>>16 != proto || x.last < first {
			continue
		}
		begin(first, x.verdict())
		begin(x.last+1, noRule)
	}
	before := uint32(0)
	for i := range p.blocks {
		p.blocks[i].before = before
		before += uint32(bits.OnesCount64(p.blocks[i].begins))
	}
	return p
}

// judge returns what is decided about a port.
func (p *ports) judge(port uint16) verdict {
	b := &p.blocks[port>>6]
	return p.verdicts[int(b.before)+bits.OnesCount64(b.begins<<(63-port&63))-1]
}
