// Package relayed is a node's side of relays: which ones it holds a link to, which is its home, and in which lanes its datagrams reach
// peers there. It is a pure core: its owner registers, sends and receives for it, and seals nothing but what proto/relay says.
//
// # Links
//
// A node has links to at most MaxSlots relays: its home, where peers look for it; a standby, for the moment when the home dies; and the
// homes of peers that it wants to reach. Each link has a slot, 1 to MaxSlots, which names it on packet paths.
//
// A link begins with a Dial event. The owner connects (QUIC or TLS), registers, and calls Registered. From then on the
// connection carries frames, so that the first packet waits for nothing else; meanwhile Bind goes out on UDP. UDP carries as soon as a cookie has come
// and the Bind with it is sent; should that stay without answer, the connection carries again. A second after the answer
// Hangup has the owner close the connection: an idle client costs its relay nearly nothing. Where UDP is blocked the connection stays, and UDP is tried again every 30 to 60 s.
//
// # Life and death
//
// Any authentic answer proves a link. While it is used and still for half a second, a Keepalive asks for one; then one follows every
// quarter to half of a second, together with a Bind, because it may be a NAT that has forgotten us. Three questions without answer, over 1.2 s in all,
// and the link is down: at most 1.7 s after the last sign of life. Packets that a relay delivers prove that it lives but not
// that it hears us; with them, 5 s have to pass. Check asks an idle link at once, because a way past relays is in doubt. Else it is asked as often as the NAT on the way demands, and at least four times in the
// relay's own idle time; one that has said goodbye, and is still needed, every half second, because it will be gone and perhaps there again. What a relay delivers is found by its tag; Expect and Unexpect say which tag is whose.
//
// A relay that has forgotten us says Unknown, which anybody can forge who knows what we sent. Hence it is believed only if it echoes the
// transaction of a question of the last ten seconds, which begin at a random number; it then costs one registration, at most every five seconds. If it
// echoes anything else, such as the MAC of a packet, that is a reason to ask.
//
// # Lanes
//
// A lane is an open channel to a node. Want opens one at our own home if the peer's is in the same region, for relays of a region forward to each other; else, or if
// our home refuses, at the peer's home; and, while the link there is not up yet or no longer, or refuses, also at our
// own home and standby, where the peer may be registered too. The open lanes are ordered, best first: those of links without doubt, then the peer's home,
// our own, the standby. LaneUp says that something has changed in that, Lost that there is none.
//
// What is to be said to a peer while its channel is being opened goes with the question (Call), and comes back (Return) if the relay has not sent it on. A channel that the relay offers, because the
// peer has opened one to us, is taken as if we had asked for it.
//
// # Home
//
// STUN questions to every relay measure the way there, at the start, after a move, and every five minutes; eight addresses at a time. The nearest relay becomes the home.
// It is left if it dies, drains, or leaves the map, or if another has been 10 ms and a fifth nearer three times in a row. Home is told when the link there is up,
// not before. Until anything is measured, 250 ms at most, the node waits, unless it knows where it was at home last time or has no choice.
//
// # Bounds
//
// MaxRelays relays are known, MaxSlots linked, as many channels a link as the relay allows and at most MaxChannels. A relay can hurt a node no more than a broken
// wire could: its answers are matched with questions, and what it says of addresses is for others to check.
package relayed
