// Package forward is the relay itself, without sockets and clocks: who its clients are, which channels they have, and whether a frame goes on.
//
// # Who does what
//
// The Machine has one owner. It registers clients, binds them to the places that they prove, opens channels inside a tenant, forgets who is
// silent, and cuts off who is revoked. What workers have to know leaves it as changed records in Out; the shell applies them to a Table.
//
// A Lane is one channel, a Seat one client, a Book what one worker counts. Workers read the Table, decide with Book.Decide and change nothing but their own
// Book. A client whose address changed is one changed Seat, however many channels it has.
//
// Lanes stand by the slot in their number, seats by their slot; the rest of a number tells one that had the slot from the next. Records
// hold numbers and no pointers: an accelerator in the kernel can be given the same changes for its own maps, and decide the same in the order of Decide.
//
// # Whom the shell lets in at once
//
// Table and Books share one lock of the shell's. Workers hold it for reading while they decide on what one system call brought; whoever applies
// changes, vacates slots or reads the Books holds it for writing. So there is no lock for a packet, and no record is seen half written.
//
// # The first packet
//
// A Call is for the owner: it opens the channel, sends the payload on, and names it in Out.Called, so that a Book is charged for it before it leaves. A new channel has the one
// in the other direction offered to its receiver. Where the region has to be asked first the payload waits for the answer; the neighbour asks for the other direction before it answers.
//
// # Fair under overload
//
// A worker that never finds its socket empty is overloaded, and the kernel would drop for it, from whoever sends least often. Therefore a Book measures in rounds of
// 10 ms what each tenant brought and what the worker carried, and gives each tenant what it brought or the same share as all others,
// whichever is less (max-min). Refusing a frame costs a small part of forwarding it; a load of some times what a worker carries is shared fairly,
// beyond that the socket's buffer decides.
//
// Control frames are for the owner, of whom there is one. A Book passes so many a second on, half of them in equal parts to all tenants that ask.
//
// # The region
//
// A relay of the region is a neighbour in two ways (see the specification, proto/relay): as a client of ours it has a Seat without tenant, whose lanes lead to nodes here;
// and it has a seat among those abroad, because we are a client of its: what a lane leads to whose receiver is registered there. No lane leads from one to the other, Decide
// refuses it too, so that no frame crosses twice. The owner keeps what only such channels have beside the lanes, so that others do not pay for it.
//
// Who is where is asked when somebody wants to know, and kept as long as a channel leads there: 32 relays that told each other of all their clients would hold a million
// records that nobody uses, and be wrong as often. Questions are bounded in all and for each client. A channel whose receiver is lost, because it left, its relay died,
// or says that it is gone, is looked for again under its old number; its owner is told only if it sends meanwhile.
//
// # A relay is no weapon
//
// Cookies are computed, not kept: a stranger costs one hash and no memory. Answers are as long as their questions. Only what its client's secret has sealed
// changes anything, only if it is newer than what was last acted upon, and only from the place that the client is bound to, but for Bind.
package forward
