// Package hub holds the live sessions of nodes and tells each what has changed.
//
// There is one tenant value a tenant, with one lock, one view and one goroutine that sends. Whoever changes something (the store's
// sink, a session with a report) changes the view under the lock, marks whom it concerns and wakes the sender. The sender asks
// the view what each marked session lacks and offers it to the stream; a stream that is still busy keeps its mark and
// gets one merged delta when it is ready. So a slow node costs one mark, never a queue, and is never cut for being slow.
//
// The sender rests as long as its last round took, 50 ms at most: an idle tenant tells in no time, a busy one in batches.
//
// A hostile node is bounded, too: it is read no faster than what it causes may cost, and clones share one question to the first.
package hub
