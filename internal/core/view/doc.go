// Package view is the controller's side of the netmap: what the nodes of one tenant may see, and how each of them is told.
//
// A View is the whole of one tenant in memory. Changes go in (PutNode, SetSoft, …) and come back as a Change, whose Audience are
// the nodes that must be told. A Session is one node's position: Next gives the bytes to send, Sent says that they are on their
// way. Nothing here blocks, reads a clock or starts a goroutine; the owner's loop is the lock. Equal inputs give equal bytes.
//
// # Who sees what
//
// Every node sees its network and itself. A member of an open network that is not pending sees as peers those others of the network that
// are neither pending nor have never signed, and whose class the network's Sight shows to its own. Everybody else sees no peers.
//
// A plain device is shown to the nodes that are named for it, while they may see peers, and to nobody else.
//
// The list of relays is shown to whoever may see peers. What the tenant's authorities are worth is told to everybody.
//
// # Positions
//
// Versions are the tenant's: hard is counted by the store, soft by the View since its boot. A node whose neighbours did not
// change gets no frame, however far the tenant moves; its position stays where its last frame left it, in the session as on
// the node, so "from" in the next frame is what the node has. That stays cheap because changes are found by walking the network's
// own list, in the order of versions and newest first, as far as the position: every object stands there once, under its
// newest version, and what members can never have seen does not stand there at all. What a node is to hear of plain devices
// stands on a shelf of its own, in the same order; such a node's delta is its alone when something stands there that it lacks.
//
// A position of another epoch, from the future, older than a forgotten deletion, or older than the moment when the node's
// right to see peers last changed, leads to a snapshot; so does a change of that right during a session. After a restart the
// View does not know when that was and takes the version of the network and of the node itself: too many snapshots then, but none too few.
//
// # Policy
//
// A Sight is what a policy document says of classes, and a Turn replaces it by that of another document. The network remembers its
// former sights, and a member its former classes, so that a delta knows what its receiver saw at its position and what it sees now: who
// is shown anew comes whole, who is hidden goes, and who was never shown is not named. Members of one class at one position are told the
// same bytes. A turn that changes nothing for a node is no frame: its session notes that until there nothing concerned it.
//
// Rules are not told by versions but by their name: a session knows which ones its node has.
//
// # Frames
//
// An object is encoded once, when it changes. A delta that does not speak of its receiver is the same bytes for all who stand
// at the same position. The peers of a snapshot are encoded once for all newcomers: a snapshot may be a little old, because a
// delta from there to now follows at once; it is thrown away when a node is hidden or removed, so that nobody is shown a node that is gone.
// A snapshot or delta over Config.Piece bytes is cut into pieces, each a frame of its own.
//
// A frame that the stream did not take is not kept: the next call of Next merges what came since. Only pieces of which the
// first is on its way are finished before anything new begins.
package view
