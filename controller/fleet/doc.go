// Package fleet keeps the relays: who they are, their sessions, and what each has to know to admit nodes without asking.
//
// The records are in the store and, whole, in memory: there are at most a few hundred. A relay that is away stays in the list that
// nodes get, under the addresses that it reported last, because it serves nodes without its controller.
//
// # What a relay is told
//
// A session begins with a snapshot: the authorities of the tenants that the relay serves (two of one whose key is being changed), the nodes that were removed while their
// certificates may last, the other relays of the same nodes, and which of those it exchanges frames with: those of its region that serve exactly the same
// nodes. After that it is told what changes, at once. Changes wait in the
// session, merged; when too many wait for a slow relay, they are dropped and it gets another snapshot.
//
// # What a relay tells
//
// What it reports of itself is remembered when it differs. Its counters are totals since its process started; they are
// written to the store once a minute, which adds what is new, so that neither a lost answer nor a restart on either side counts anything twice.
package fleet
