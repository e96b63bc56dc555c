package offload

// openFlows is how many flows may wait for their next packet at once. Among more, the one that waited longest is closed.
const openFlows = 8

// Joiner collects packets and joins those that continue each other. It keeps the packets where they are, and allocates nothing after
// NewJoiner.
type Joiner struct {
	takes  [UDP + 1]bool // protocols that are joined
	bytes  int
	pieces [][]byte // what each packet gives to its run: the first all of itself, others their payload
	owners []int32  // the run of each, by index
	runs   []run    // in the order of their first packets
	parts  [][]byte // room for Run.Parts, where pieces will not do
	apart  bool     // of some run, the pieces do not lie beside each other
	out    []Run    // room for Runs

	// The flows whose run may go on.
	keys  [openFlows]uint64 // 0: none
	runOf [openFlows]int32  // by index
	used  [openFlows]int32  // packets that there were when the run went on; 0: none
	last  uint              // the flow that was found last: the next packet is most likely of the same, or of the one beside it
}

// NewJoiner makes room for so many packets. Only trains of these protocols are made: the ones that the kernel takes.
func NewJoiner(maxPackets int, trains ...Protocol) *Joiner {
	j := &Joiner{
		pieces: make([][]byte, 0, maxPackets),
		owners: make([]int32, 0, maxPackets),
		runs:   make([]run, 0, maxPackets),
		parts:  make([][]byte, maxPackets),
		out:    make([]Run, 0, maxPackets),
	}
	for _, p := range trains {
		j.takes[p] = true
	}
	return j
}

// Add takes a packet, from the IP header on and without anything behind it, and keeps a reference to it until Reset. Anything is taken; what is
// no good packet is passed on alone. It is false if there is no room: then nothing was taken, and Runs and Reset make some.
func (j *Joiner) Add(packet []byte) bool {
	if len(j.pieces) == cap(j.pieces) {
		return false
	}
	j.bytes += len(packet)
	var s segment
	s.read(packet)
	if s.key == 0 {
		j.closeKin(packet)
		j.begin(&s)
		return true
	}
	verified := false
	if i := j.find(&s); i < openFlows {
		r := &j.runs[j.runOf[i]]
		if r.precedes(&s) {
			if verified = s.sound(); verified && r.sound() {
				j.extend(r, i, &s)
				return true
			}
		}
		j.close(i)
	}
	r := j.begin(&s)
	if s.joinable && j.takes[s.protocol] && !s.push {
		r.open(&s, verified)
		j.wait(s.key)
	}
	return true
}

// Len is how many packets there are.
func (j *Joiner) Len() int { return len(j.pieces) }

// Bytes is how many bytes the packets have together.
func (j *Joiner) Bytes() int { return j.bytes }

// Growing reports whether some run may be continued by what comes next.
func (j *Joiner) Growing() bool { return j.keys != [openFlows]uint64{} }

// Runs closes all runs and returns them: each flow's packets in their order, and a packet that continues none as it came, as a run of one.
// A run of one is Partial if its packet is. It writes into the first packet of every longer run. What it returns is valid until Reset.
func (j *Joiner) Runs() []Run {
	j.closeAll()
	parts := j.pieces
	if j.apart {
		parts = j.gather()
	}
	j.out = j.out[:0]
	for i := range j.runs {
		r := &j.runs[i]
		j.out = append(j.out, Run{Layout: r.finish(j.pieces[r.first]), Parts: parts[r.at : r.at+r.count : r.at+r.count]})
	}
	return j.out
}

// Reset forgets everything.
func (j *Joiner) Reset() {
	j.closeAll()
	j.pieces, j.owners, j.runs, j.bytes = j.pieces[:0], j.owners[:0], j.runs[:0], 0
	j.apart = false
}

// gather puts the pieces of each run beside each other.
func (j *Joiner) gather() [][]byte {
	at := int32(0)
	for i := range j.runs {
		j.runs[i].at = at
		at += j.runs[i].count
	}
	for i, piece := range j.pieces {
		r := &j.runs[j.owners[i]]
		j.parts[r.at] = piece
		r.at++
	}
	for i := range j.runs {
		j.runs[i].at -= j.runs[i].count
	}
	return j.parts
}

// begin makes a run of one packet, which is closed.
func (j *Joiner) begin(s *segment) *run {
	n := len(j.runs)
	j.owners = append(j.owners, int32(n))
	j.runs = j.runs[:n+1]
	r := &j.runs[n]
	r.first, r.at, r.count = int32(len(j.pieces)), int32(len(j.pieces)), 1
	r.start, r.protocol = int16(s.start), s.protocol
	j.pieces = append(j.pieces, s.packet)
	return r
}

// extend puts a packet at the end of the run of an open flow, and closes it if none may follow.
func (j *Joiner) extend(r *run, flow uint, s *segment) {
	j.apart = j.apart || int(r.first+r.count) != len(j.pieces)
	j.owners = append(j.owners, j.runOf[flow])
	j.pieces = append(j.pieces, s.packet[s.headers:])
	j.used[flow] = int32(len(j.pieces))
	if !r.extend(s) {
		j.close(flow)
	}
}

// find is the open flow of a packet, openFlows if there is none.
func (j *Joiner) find(s *segment) uint {
	for n := range uint(openFlows) {
		i := (j.last + n) % openFlows
		if j.keys[i] == s.key && sameAddresses(s.packet, j.runs[j.runOf[i]].head) {
			j.last = i
			return i
		}
	}
	return openFlows
}

// wait opens a flow for the latest run, in place of the one that waited longest.
func (j *Joiner) wait(key uint64) {
	longest := uint(0)
	for i := range uint(openFlows) {
		if j.used[i] < j.used[longest] {
			longest = i
		}
	}
	j.keys[longest], j.runOf[longest], j.used[longest] = key, int32(len(j.runs)-1), int32(len(j.pieces))
	j.last = longest
}

// closeKin closes the flows between the addresses of a packet that may be of any of them: a fragment, for one.
func (j *Joiner) closeKin(packet []byte) {
	for i, key := range j.keys {
		if key != 0 && sameAddresses(packet, j.runs[j.runOf[i]].head) {
			j.close(uint(i))
		}
	}
}

func (j *Joiner) close(flow uint) { j.keys[flow], j.used[flow] = 0, 0 }

func (j *Joiner) closeAll() {
	clear(j.keys[:])
	clear(j.used[:])
}
