package flow

// A source is who is at the other end of a flow, by its address: 8 bits of a hash with the Table's secret. Two addresses in 256 share one.
func (k *key) source(seed *[5]uint64) uint8 { return uint8(mix(k[2]^seed[3], k[3]^seed[4])) }

// shares are how many flows of a shard each source has. Who has more than a quarter of a shard when it is full, makes room of its own.
type shares struct {
	held [256]uint32
	dice uint32
}

const (
	share = 4  // one part in so many
	draws = 32 // of flows at random: among them is none of a source's that has a quarter once in 10,000 times
)

// own returns a flow of a source that has more than its share, in place of one of somebody else's: of some that are drawn, and that do not go
// after those of a rank, the one that would go first. The list of the rank tells who has been idle longest, and that most likely are the others.
func (s *shard) own(other uint32, rank int, source uint8) uint32 {
	if s.held[source] <= uint32(s.most/share) {
		return other
	}
	best := uint32(0)
	for range draws {
		s.dice = s.dice*1664525 + 1013904223 // a linear generator will do: nobody sees what it gives
		name := uint32(uint64(s.dice)*uint64(s.taken)>>32) + 1
		if s.belongs(name, rank, source) && (best == 0 || s.less(name, best)) {
			best = name
		}
	}
	if best == 0 {
		return other
	}
	return best
}

// belongs reports whether a slot has a flow of a source, of a rank or one that goes later, and not the flow that has come or changed just now.
func (s *shard) belongs(name uint32, rank int, source uint8) bool {
	c := &s.cards[name-1]
	return c.source == source && int(c.rank) >= rank && s.ranks[c.rank].newest != name && !s.at(name).vacant()
}
