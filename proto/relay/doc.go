// Package relay is the protocol that a node and a relay speak, and that two relays of a region speak. This comment is its specification; testdata/vectors.json holds
// frames that another implementation can compare itself with. All numbers are big endian unless said.
//
// # Transport
//
// A frame travels in one of three ways, and is the same on each:
//
//   - on the fast path, one frame a UDP datagram: what this protocol is for;
//   - in one QUIC datagram (RFC 9221) of a connection whose ALPN is "cvlan-relay/1";
//   - on a stream (TLS/TCP, or the first QUIC stream): the frame's length in two bytes, then the frame. At most MaxFrame bytes.
//
// The first byte of every frame is 0x20. It has neither bit of QUIC (RFC 9000, 17.2), is no STUN message (RFC 8489, 5) and no WireGuard
// message, so all of them share one port. A second incompatible version would take the next byte, 0x21.
//
// # Registration
//
// A node connects with TLS 1.3, knows the relay by its certificate, and shows none of its own in the handshake: what is shown there stays in the relay's memory. It sends Register, once and first, at
// most MaxRegister bytes, with its certificate alone, since a relay knows the authorities of the tenants that it serves, and with a signature by the certificate's key: ECDSA on P-256 with
// SHA-256, and nothing else in this version, over
//
//	64 times 0x20, "cvlan relay, client registers v2", 0x00, bond(32), and the frame up to the signature's length
//
// The bond is what the connection exports (RFC 8446, section 7.5) under the label "EXPERIMENTAL cvlan relay register v2", with no context. It is another on every connection, neither end can choose it, and it comes from all that both said in
// the handshake, the relay's certificate included: a relay to whom the frame was sent can show it to no other relay, nor again to anybody. What is signed begins as in TLS (RFC 8446, section 4.4.3), with a context
// string that is used for nothing else, so no signature made for TLS, a record, a request for a certificate or IKE serves here, nor the other way round.
// Sessions are not resumed, and there is no early data. The relay answers Registered, which carries a reason if it refused: Unsupported if there is no common version, NotPermitted for every fault of certificate or signature.
//
// In version 1 the certificate was shown in the handshake. A relay of version 2 answers Unsupported to a node of before; a relay of before ends the connection with the alert certificate_required.
//
// Registered brings the client's number and its secret, 32 random bytes. The connection may end then: the rest runs on the fast path. Both sides
// compute everything else with HMAC-SHA-256 under the client secret, over a label and what follows it:
//
//	channel key  "cvlan relay channel v1" number(4)             first 16 bytes: the SipHash key, little endian
//	control MAC  "cvlan relay control v1" frame[:40]            first 16 bytes
//	notice MAC   "cvlan relay notice v1"  frame[:16]            first 16 bytes
//	link key     "cvlan relay link v1"                          of a client that is a relay: in place of channel keys
//	tag          "cvlan relay from v1"    node(8)               first 8 bytes
//	mask         "cvlan relay mask v1"    transaction(8)        first 8 bytes
//
// # Data, 16 bytes and the payload
//
//	0      type 0x20
//	1      kind: 0 Data (to the relay), 1 Deliver (from the relay)
//	2-3    zero
//	4-7    Data: the channel's number. Deliver: the receiving client's number
//	8-15   Data: MAC, little endian. Deliver: the tag of the sending node under the receiver's secret
//	16-    payload, 16 bytes at least: WireGuard, ESP or disco
//
// The MAC is SipHash-2-4 under the channel key over bytes 0-7 and 16-31. Those sixteen bytes of the payload hold the index and the counter of a WireGuard
// packet, or the SPI, sequence number and half of the IV of ESP: no two packets of one session have the same. It proves to the relay who pays for the packet, and
// nothing else; the payload is ciphertext that its receiver authenticates. Hence 64 bits are enough: they cannot be tried offline, a lucky guess in 2^64
// packets has one packet of junk forwarded, and it must come from the address that the client is bound to. A replay from that same address costs bytes of the client's
// rate, not more. Receivers compare the whole word at once, so that the time tells nothing of a partial match. On streams and QUIC datagrams TLS has
// authenticated the client: the MAC is zero and not looked at.
//
// The tag tells the receiver which of its peers sent, without state and without a name that an observer could follow: the node computes the tags of the
// peers in its map, and drops what has none of them. To anybody off the path it is a secret of 64 bits too.
//
// # Control, 56 bytes each (a Call is longer by its payload)
//
//	0      type 0x20
//	1      kind
//	2      reason (Refused, Bye), else zero
//	3      zero
//	4-7    the client's number
//	8-15   transaction
//	16-39  body
//	40-55  control MAC
//
// A transaction counts up for the life of a registration; the relay acts on Bind, Open, Close and Bye only if theirs is larger than any before (an Open for
// a channel that exists changes nothing and may be repeated with a new one). An answer repeats the transaction of its question. A frame with a wrong MAC is dropped in silence.
//
//	Bind       cookie(16) zero(8)                       node -> relay
//	Cookie     cookie(16) zero(8)                       answer to a Bind without the cookie
//	Bound      address(16) port(2) idle s(2)            answer to a Bind with it: where the relay sees the node;
//	           calls(1) zero(3)                         calls is 1 if it takes Call
//	Open       node(8) xor mask, address(16)            node -> relay: a channel to that node of the same tenant
//	Call       as Open, and behind the MAC a payload    node -> relay: Open, and the first packet with it
//	Opened     channel(4) there(1) took(1) zero(18)     answer; there is 1 if the relay sees the node at the address that was asked about,
//	                                                    took is 1 if the payload of a Call was sent on
//	Offered    channel(4) zero(4) node(8) xor mask      relay -> node: the same as if the node had opened a channel to that node
//	           zero(8)
//	Close      channel(4) zero(20)                      node -> relay, no answer
//	Keepalive  zero(24)                                 node -> relay, at least every idle/4 and as often as the NAT asks for
//	Alive      as Bound                                 answer
//	Refused    zero(24)                                 answer to Open, with a reason
//	Bye        zero(24)                                 relay -> node: it drains; register elsewhere, then leave. Flows go on meanwhile
//	                                                    node -> relay: it leaves, no answer
//
// # Binding
//
// The relay forwards for a client, and to it, only at the address that it is bound to. A Bind with a zero cookie has no effect but a Cookie, which is computed from a
// secret of the relay, the client's number, the source address and the time: the relay keeps nothing. The node sends Bind again with that cookie. It is good for one to two minutes and for that address only. A
// node whose address changed does the same: the binding of the client, and so of all its channels, moves in one round trip. A captured Bind is of no use elsewhere
// (cookie), nor later in the same place (transaction).
//
// On a stream or in a QUIC datagram a Bind needs no cookie, because the connection proves what a cookie would: the relay answers Bound at once, with the
// address that it sees the connection come from, and the client is bound to the connection that its frame came by until it binds elsewhere or the connection ends.
// A connection carries the frames of the client that registered on it, and of no other. To a client bound to a QUIC connection the relay sends datagrams, and what no
// datagram can hold on the stream. A later registration of the same node replaces the former: its number, secret and channels are void, but
// channels that others opened to the node go on to its new registration.
//
// A channel number belongs to the client that opened it: one direction from one node to another. Frames from elsewhere than the client's address are dropped.
//
// The address of an Open is zero, or that at which a peer says that it is (IPv4 mapped): nodes guess ports of an address only if a relay has seen
// the peer there. The relay says yes or no and never where a node is, for a policy may hide that from the asker.
//
// # The first packet
//
// A packet that is the first from a node to another would wait for an Open to be answered, and so would the answer to it. Therefore an Open may carry it, and a relay opens the way
// back before it is asked to.
//
// A Call is an Open with a payload of 16 to 1,500 bytes behind its MAC, which does not cover it, for its receiver authenticates it, as in Data. It is for the relay's owner, not for the fast path: a node
// sends Calls only until it has the channel, four for one channel at most. The relay does what it does for an Open. If the channel leads somewhere now, it sends the payload on at once, as if it had come in a Data
// frame: charged, metered, and in the place where Deliver would have gone. Took says so. Without it the node sends the payload again, on the channel; an answer without Took counts also
// for the Calls before.
//
// When an Open or a Call has made a channel from a node to another that is bound at the same relay, the relay opens the one in the other direction too, if there is none, and tells the other by Offered. Its transactions
// are the relay's, have the highest bit set, which those of nodes do not, and count up; the node takes none that is not larger than the last. What is offered is opened in the receiver's name and counts among its channels. So a relay offers only while the receiver
// has less than half of the channels that it may have, and a node closes a channel to a node that it does not know.
// Both frames go to clients that have proven where they are, and cost no more than those that caused them.
//
// # Between relays of a region
//
// The controller tells a relay which other relays of its region serve the same nodes: its neighbours. A relay is a client of each of its neighbours. It registers as a node does, with
// its own certificate, whose name the neighbour compares with what its controller has told; it hangs up, binds over UDP and keeps alive as a node does. So there are two registrations
// between two relays, one for each direction, and neither needs the other.
//
//	Ask          tenant(8) from(8) to(8), xor mask      relay -> relay: a channel for what node from sends to node to, of that tenant
//	See          channel(4) zero(4) address(16)         relay -> relay: is the receiver of that channel at the address?
//
// Both are answered with Opened or Refused. The mask of Ask is 24 bytes long. A relay acts on Ask, See and Close of a neighbour's whatever their
// transaction: they may be repeated as they are, and change nothing then. Only Bind has to be newer.
//
// A node opens a channel at its own relay, as ever. Where the destination is not registered there, or has been silent there for half of the idle time, the relay asks all its neighbours at once, for
// half a second at most, and answers the node when one has opened, or all have refused. Nobody is told who is where: a relay knows of its neighbours' clients
// those that its own clients talk to. A neighbour opens only to nodes that are registered and bound there and not silent, never to a
// relay. Hence a frame crosses at most two relays, and there is no loop.
//
// The payload of a Call waits for that answer at the node's relay, four for one question, and then goes on; each Call is answered by itself, with Took. A neighbour that opens a channel to a node asks the relay that asked it for the
// channel back, before it answers, and when that is open offers it to its node, within the bounds of every offer. So the offer is there before the payload, and the answer to that
// waits for nothing. Across a region the first packet takes the way from relay to relay and back more than within one.
//
// A Data frame that goes on gets the neighbour's channel as its number, and a MAC under the link key, which is one for all channels of a relay; for the number is
// covered. The neighbour delivers it under the tag of the node that sent it. Its payload is never touched. The sender's relay charges the sender and its tenant, and meters; the neighbour only
// gives the tenant its share if it is overloaded.
//
// When the receiver leaves, the neighbour closes the channel and says Closed at once, with zero in bytes 8-15; later frames get Unknown. The relay asks again and lets
// the sender's channel lead to where the receiver is now. If it is nowhere, the sender gets Closed when it sends. A neighbour is asked for a sign of life every half second while channels
// lead there, else every ten seconds; after three questions in vain, 1.2 s, it is down, and its channels are looked for elsewhere.
//
// # Notices, 32 bytes
//
//	0 type, 1 kind (Closed, Unknown), 2 reason, 3 zero, 4-7 number of the frame at fault, 8-15 its bytes 8-15, 16-31 notice MAC
//
// Closed says that a channel is no more (open it again); Unknown that the relay does not know the number at all (it restarted: register again). For Unknown there is no key and the MAC is zero:
// a node believes it only if bytes 8-15 are those of a frame that it sent lately, and then does no more than register again, at most once in some seconds.
//
// # What strangers get
//
// Nothing is longer than what caused it: control answers are exactly as long, and the shortest frame that causes a notice is 32 bytes. Notices are limited in number.
// Bye goes to bound addresses only.
package relay
