// Package netmap is the node's side of the netmap: the table of everything that one membership may see, kept up by the pieces
// that the controller sends and read by the node's engine.
//
// A Table is fed with Apply, one message at a time, and changes only when the last piece of a snapshot or delta is in; what
// changed comes back as Events. It never blocks, reads a clock or starts a goroutine; the owner's loop is the lock. What it hands
// out (Peer, Self, Network) is never changed afterwards and may be shared with anybody; slices in it are read only.
//
// # Who is a peer
//
// The controller says which nodes there are; the table decides which of them it believes. A node is left out, with a reason, when
//
//   - its record is not one, or its signature does not hold under the key in the record;
//   - it has the identifier of this node, or an address outside of the network's ranges;
//   - it claims a key, an address or a name that belongs to this node or to another.
//
// A claim that several nodes make goes to the one with the lowest identifier, and this node's own claims go before all. So one
// bad node never hides the rest, and the same set of nodes gives the same table, in whatever order it arrived. A node that was left out
// is remembered, and comes back when what stood against it has gone.
//
// # Plain devices
//
// A plain device has no signature: the controller vouches for it, so what can be checked is that it gets in nobody's way. It is left out, with
// a reason, when its entry is not one, when an address lies outside of the network's ranges or its endpoint inside of them, and
// when an address, its name or its key belongs to this node, to any other node, or to a plain device with a lower identifier.
//
// # Routes
//
// Which prefixes are reached through a node is the controller's word. One that overlaps the network's ranges, or that nobody forwards to, is left out with a
// reason; the node stays. Several nodes may have one prefix: who is used is the owner's to choose.
//
// # What is not checked
//
// Identity keys are not pinned: a controller that is hostile can introduce nodes of its own making until the lock exists.
//
// # Soft state
//
// The soft state of an earlier boot of the controller fades at the first frame of a new one: the node counts as offline until the
// controller says otherwise, but its last endpoints stay as candidates, because a controller that restarts must not part
// two nodes that can still reach each other.
//
// # Relays
//
// The relays come as one list and are taken as they are told: what proves a relay is its certificate, under the root that the node has
// pinned. The list survives the controller's absence and its restart.
//
// # Authorities
//
// Of the tenant's authorities the table keeps what it was told last, over the controller's absence and its restart: whom a certificate has not
// convinced once is not believed again because nobody can be asked.
//
// # Errors
//
// Apply's errors say that the message was refused as a whole: the table is as before and goes on. ErrOutOfStep asks for a new
// session with the cursor that the table has; the others mean a broken or hostile controller.
package netmap
