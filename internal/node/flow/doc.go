// Package flow is the packet filter of one membership: it asks a filter.Set about what begins something, remembers what was allowed, and
// lets pass what belongs to that. It stands between the tunnel's workers and policy; both ends of a tunnel have one.
//
// # Flows
//
// A flow is what two ends say to each other: TCP, UDP and other protocols with ports by both addresses and ports; ICMP echo by addresses,
// identifier and who asks; anything else by addresses and protocol. It has an opener, and is judged as its opener's packet: by the Set's
// Out if that end is on our side, else by In. What the other end says belongs to it and needs no rule of its own.
//
//	phase     TCP                            others              forgotten when idle for
//	single    SYN                            one way             2 min (ICMP echo 1 min, without ports 10 min)
//	answered  SYN and ACK                    -                   1 min
//	settled   the opener has acknowledged    both ways           2 h 4 min TCP (RFC 5382, REQ-5); 5 min (RFC 4787, REQ-5); 1 min; 10 min
//	closing   FIN from one end               -                   4 min
//	closed    RST, or FIN from both          -                   10 s
//
// Numbers of TCP are not checked: both ends do that. A SYN of the other end is no answer unless the flow is single (RFC 9293, section
// 3.5: both may open at once); it is judged as what it is, a beginning. Segments without SYN, ACK and RST, and those with SYN and FIN or RST,
// are nothing that TCP sends, and are dropped.
//
// # Segments without a flow
//
// After a restart of ours, or an eviction, TCP goes on in the middle. Whoever opened it can no longer be known, so it is guessed: the end
// with a port from 32768 on, if the other's is lower; else the sender of the segment; of a SYN with ACK its receiver. The segment passes if
// the rules let that end open it. So a connection that policy has cut does not come back through a rule of the other direction, and one that
// policy allows goes on, whichever end speaks first. Nothing can be opened this way: it takes a SYN, which is always judged as what it is.
// UDP is not guessed at: an end that does not know an answer's question drops it until it asks again.
//
// # Change
//
// Swap puts another Set in force. Flows are stamped with the Set that has judged them, and judged again at their next packet, of either
// direction and with the same opener. One that is no longer allowed stays as cut: what either end says is dropped, and counted, until it
// has been idle for as long as above, or a Set allows it again. Swap costs nothing a flow.
//
// Both ends do not hear at one instant that they are to speak by IPsec. Ours does not use anything else from then on; what still comes otherwise, and
// passed before, passes for Notice.
//
// # ICMP errors
//
// An error passes if it quotes, and is sent to, the sender of a packet of a flow that came the other way and is allowed. Who sends it does
// not matter: it may be a router anywhere behind the other end. One that quotes nothing known is judged by the rules, as all ICMP that is
// neither error nor echo is; an answer to an echo that nobody has sent too. None of these makes a flow.
//
// # Fragments
//
// The first fragment has the ports and is judged. The others follow it for 30 s, if their bytes lie beside those that have passed: what
// would overlap is dropped, also where it only repeats. A fragment that comes before the first is dropped, unless the rules allow all ports
// of its protocol; nothing is held back, because systems send fragments in order and the tunnel keeps it. 1,024 fragmented packets are
// known at once, of 8 pieces with gaps between them each; among more of one bucket of 8 the oldest is forgotten. Swap forgets all.
//
// # Bounds
//
// There is room for Config.Flows flows, 41 bytes each, or 73 once one of IPv6 has come; memory is taken as they come, twice as much whenever a flow
// finds no room. Each has one of 16 places, eight in either of two buckets that its hash names, and takes one in the bucket where fewer flows live;
// those that have been idle for too long leave theirs to it. In a table that cannot grow that is full the first time when some 7 of 10 places are taken.
// Then the oldest idle one of the 16 goes: first those that are not settled, or cut; then those that are not TCP; settled TCP last. But while flows that
// are not settled have less than an eighth of the shard they go after all others, and as much is for settled flows that are not TCP, so that a port
// scan, whatever it is allowed, evicts only its like.
// Denied packets make no flow.
//
// An address at the other end that has more than a quarter of the 16 makes room of its own. So one peer that may open whatever it likes does not push out
// what all others have, however long those are silent. Addresses are told apart by 8 bits of a secret hash; a router in front of a prefix that it may
// use as a whole can still be many.
//
// # Cost
//
// A packet of a settled flow takes no lock: it finds its flow by a version number that tells whether it was changed meanwhile. Everything
// else takes the lock of one of 16 shards. A flow that begins reads two words of tags and two cache lines of ages, and writes one line, which is asked for
// before the rules are: some 100 ns with rules, where they are 1,000 and about 10,000 addresses and the flows' memory is in the processor's cache.
// Nothing is allocated a packet, but where memory grows. A train of segments is one packet here.
package flow
