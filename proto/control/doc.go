// Package control is the node stream: the protocol that a node and a controller speak. This comment is its specification;
// control.proto holds the messages.
//
// # Transport
//
// One bidirectional byte stream inside mutually authenticated TLS 1.3 with ALPN "cvlan/1": over QUIC (the client's first
// stream) or over TLS/TCP, on one port number. Frames are the same on both.
//
// An idle client over QUIC sends a frame with nothing but padding (field 536870911) every 25 s: a QUIC keepalive alone is so short that
// a controller which has restarted could not answer it with a stateless reset (RFC 9000, section 10.3). Over TCP it has the system ask.
// Who has no sign of life 8 s after it asked takes the controller for silent, and keeps the connection: for 90 s over QUIC, for a minute over TCP.
//
// # Frames
//
// A frame is its length as an unsigned varint (protobuf encoding, at most 3 bytes, shortest form not required) and that many
// bytes of a Frame message. A length over MaxFrame (1 MiB) or an undecodable frame ends the connection. Unknown fields and
// unknown bodies are ignored, so that either side may be newer.
//
// # Identity
//
// The controller shows a certificate whose URI is spiffe://<trust domain>/controller/<id>, issued by the root directly; the node
// knows the root by the pin in its join key. The node shows spiffe://<trust domain>/tenant/<id>/node/<id>, issued by its
// tenant's intermediate. A machine without a certificate may send Join or RelayJoin and nothing else.
//
// # Joining
//
//	node                              controller
//	  Join{key, csr, wg key}  ------>
//	                          <------   Joined{ids, chain, root, record}   or Refused
//	  (connection closed; a new one with the certificate follows)
//
// Join is idempotent for the pair (join key, identity key): a node that lost the answer asks again and gets the same node, also
// when the key is used up or expired meanwhile.
//
// A machine names the nodes that it is at the same controller already. Where one of them is in the key's network the answer is
// Refused(MEMBER) with that node, and the key is not used: one machine is one node of a network. The names are not proved; who lies is
// refused what the key would have given, and learns of a node what whoever joins would see.
//
// # Session
//
//	Hello{versions, cursor, instance, signed record, report}  ------>
//	                        <------   Welcome{version, time}
//	                        <------   Map ... Map
//	Signed{record, signature} ---->   (whenever Self shows a record that it has not signed)
//	Report{endpoints}       ------>   (whenever they change)
//	RulesApplied{name}      ------>   (whenever its filter has other rules)
//	Renew{csr}              ------>
//	                        <------   Renewed{chain}                     or Refused
//	Punch{peer, generation} ---->   Punch to both                      (see Punching)
//	Ping / Pong, Goaway in either direction at any time
//
// A node that leaves its network for good opens a session of its own for that and says Goaway(LEFT) behind its Hello: the controller deletes the
// node and answers Goaway(REMOVED). What is not answered so has not happened: one of two machines with the same state cannot take the other's
// place away while that is online, because it is refused as a clone first.
//
// The controller's first frame is Welcome or Goaway. A node that gets Goaway closes and comes back after retry_after plus its
// own jitter; what each reason means stands in control.proto.
//
// A second session with the certificate of a live one: with the same instance id it is a reconnect and takes over at once; with
// another, the controller pings the first and waits 2 s. An answer means that state was copied: the newcomer gets
// Goaway(CLONED). Silence means a reboot: the old session gets Goaway(REPLACED).
//
// # Map
//
// A cursor is (epoch, hard, boot, soft). Hard state (who is there, keys, names, addresses, rules) is durable; its version
// counts up for ever in one epoch, which changes only when the controller's database was restored from a backup. Soft state
// (endpoints, online) lives in the controller's memory; its version counts up for ever in one boot.
//
// A node that shows a cursor gets what changed since: with the same epoch and a hard version whose deletions the controller
// still knows, a delta (empty if nothing changed), else a snapshot; with another boot, all soft state that is not the default
// (offline, no endpoints, never seen). A delta is applied only by the node whose cursor equals from; a node that
// finds itself elsewhere closes and reconnects with the cursor that it has. Pieces (more) are applied together with the last one or not at all;
// all of them carry the same to (and from), snapshot stands in the first only, and a new snapshot may begin at any time.
// Deltas carry state, not history: an object that changed five times comes once, in its last form. Soft state of a node that
// the receiver does not know is ignored.
//
// # Policy
//
// Policy puts every node into a class; nodes of one class are the same to it. A node is shown the peers whose class its own may have to do
// with, and nobody else; who is hidden is not named to it at all, not even when it goes. What is told to many alike may show the receiver
// itself among the peers; it ignores that.
//
// What a node may do travels as a charter: rules by the class of the peer, without anybody's address, as package policy/compile
// specifies. So a node that joins changes nobody's rules: its class is already there, and its address comes with its record. Rules are hard
// state, but they are not told by cursors: the controller compares names. Hello says which rules the node has, the controller sends the
// charter when that is another one, and RulesApplied says that the node's filter has it. A snapshot that brings no rules leaves those that
// the node has. A charter is at most 8 MiB. A node that cannot read one treats the map as malformed. A node without rules lets
// nothing pass.
//
// Classes and users (Peer, Self, Plain) are what the controller says and are not signed by the node: policy is the controller's. A node
// enforces its rules on what it sends and on what it gets, whatever the other side does.
//
// # Plain devices
//
// A plain device is a WireGuard peer that runs no agent of ours: it has keys and addresses, and no certificate, session or
// signature. It is hard state and travels like a peer: with snapshots, deltas and cursors as above, removed by remove_plain. But only
// the nodes that an admin has named for it are told of it, and only while they may see peers at all: not while they are pending,
// nor in a network without rules. It has a class as a node has, and the rules apply to it. A node lets a plain device use the addresses in its entry and no others. It does not use an entry whose
// addresses lie outside of the network's ranges, whose endpoint lies inside of them, or whose address, name or key belongs to itself, to
// another node, or to a plain device with a lower id.
//
// # Routes
//
// A node may forward to prefixes that are none of its network's. It offers them in its Report, at most 64: canonical, never overlapping the network's ranges,
// unspecified, loopback, link-local or multicast addresses. 0.0.0.0/0 and ::/0 offer an exit. An admin, or the policy's autoApprovers, approves: Peer.routes and Self.routes are
// what is approved and offered, hard state that the controller says and the node does not sign. Of routes that a receiver finds to be none it leaves out those, not the node. A packet from
// a peer may come from the peer's own addresses and from its routes, and from nothing else. Several nodes may have one prefix: who sends chooses. A prefix of no bits is used only by a node
// whose owner has chosen that exit. What may pass to and from a prefix is what policy says of its addresses (see Charter in policy/compile), never what
// it says of the router.
//
// # Relays
//
// The relays that a node may use travel as one list, soft state of its own: the whole of it when something in it changed, in the first map
// of another boot, and in every snapshot (where its absence means that there is none). It goes to nodes that may see peers. Unlike other soft
// state it is kept over a controller's absence: a node that restarts finds its peers through the relays that it knew. There are at
// most 256, with at most 8 addresses each. A relay that a node's controller has not told it of is not used; one that is draining is
// left when there is another.
//
// A relay shows its certificate, spiffe://<trust domain>/relay/<id>, issued by the root directly. It gets the first one with RelayJoin, which
// is idempotent for the pair (relay, identity key), and further ones with Renew, over a stream on which it shows the one it has.
//
//	relay                             controller
//	  RelayHello{versions, instance, status}  ------>
//	                          <------   RelayWelcome{version, time}
//	                          <------   RelayUpdate{snapshot} ... RelayUpdate
//	  RelayStatus             ------>   (when it changes, and every 10 s)
//	  Renew                   ------>
//	                          <------   Renewed                            or Refused
//
// A relay admits nodes without asking: by the authorities of their tenant and the list of nodes removed. It keeps both on its disk. A node
// that is removed is told to relays at once, and stays on the list until its certificate would have expired; so is one that is suspended, until it is approved
// again.
//
// # Authorities
//
// A tenant's authority may be given a new key; the one before stays good beside it until it is ended. What the authorities are worth travels as
// one list, as the relays do, but to every node: also to one that sees no peers. It is kept over a controller's absence. A node whose certificate is not of the one
// that signs asks for another, at a random moment within spread_ms, so that a tenant's nodes do not all come at once. It does not believe
// certificates of those that have ended, and parts from peers that have proved themselves with one. At most 64 are named, the newest that
// have ended; none is named longer than a certificate of it could last. Relays hear of the same in RelayTenant.
//
// Another authority, a company's say, may have certified the key of a tenant's authority. The chain from there to its root travels along (at most 6
// certificates, 12 KiB), for nodes to show to those who know only that root. Between nodes, relays and the controller it is worth nothing: they know
// each other by the root that the join key has pinned.
//
// # The protocol of a pair
//
// Both ends of a pair compute what they speak from what is in both their maps: what a rule requires; else Network.protocol; else what one of
// the two prefers (Record.prefers). Nothing is said about it between them.
//
// # Punching
//
// A node that wants a direct path to a peer may ask for one common start: Punch{peer, generation}. The controller sends it on to the peer and
// back to the node in one moment, each naming the other; both begin when it has come in. Where a relay leads from one to
// the other they agree on the moment by themselves, which takes the ways into account (see proto/disco). It does so only if both see each
// other and are online, at most once a second for a pair and 5 times a second for a node; otherwise it says nothing. The peer is not
// bound to do anything.
//
// # Records
//
// A node signs its own record: ECDSA on P-256 with SHA-256 over
//
//	"cvlan node record v1" 0x00 tenant(8, big endian) network(8, big endian) record
//
// where record is the bytes that travel. Peers without a valid signature under the identity key in their own record are not
// used. The controller can still introduce a node with keys of its own making; the lock closes that.
//
// The controller composes a record, but for speaks and prefers: which tunnels a node speaks only the node says. It signs the record as the
// map shows it, with its own word in these two fields, and the controller (whose Welcome has features bit 0) takes the signed bytes for the
// record from then on, if they differ from its own in nothing else. A record without that word is of a node that speaks WireGuard only.
// What a pair speaks both ends compute from records, rules and network (internal/core/netmap, Choose): nothing about it is negotiated.
package control
