// Package path decides where a peer is: which of the addresses that it might have get the message that opens a session, and which
// address counts as proven.
//
// A Picker stands for one peer. A message that opens a session goes to every candidate until one answers: the same message to many
// addresses is answered once, by whichever way is fastest, because the peer takes the other copies for replays. Renewing a session
// that lives goes to the proven address alone. Anything else is a sign that the proven address may not hold any more (nothing was
// heard for a while, or the last message got no answer), and every candidate is tried again, the proven address with them.
//
// A Picker needs no timer: whoever opens sessions repeats itself, and each repetition asks again.
package path
