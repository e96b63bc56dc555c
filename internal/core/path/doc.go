// Package path decides where a peer is.
//
// # Finder: peers that speak disco
//
// A Finder stands for all peers of one membership and decides which Way carries a peer's datagrams: through a relay at once, and past
// all relays as soon as a way is proven. It speaks in values of proto/disco, which its owner seals and sends.
//
// A way is proven by a pong: it bears the random number of a ping that went exactly there, and came back from there. Data that merely
// arrived proves nothing about the way back. What the map, the peer, or the source address of a datagram says is a candidate.
//
// Hunt. When traffic wants a peer that has no direct way, both sides tell each other their addresses through a relay (offers), measure
// its round trip, agree on a moment, and then ping all candidates on a ladder of times. The moment matters: a NAT that accepts
// unasked-for datagrams gives our port away to the first that comes early. If nothing is proven after three seconds the next hunt
// follows, later and later; every second one uses a fresh socket with a fresh mapping. A candidate in a LAN or of IPv6 needs no
// agreement. If exactly one side's NAT takes another port for each destination, and a relay or STUN server of ours saw the peer, ports
// are guessed: see guess.go.
//
// Watch. While data flows and comes back on the way in use, hardly anything is probed. Data without an answer for 400 ms raises a
// doubt; four pings without an answer in 800 ms or more confirm it, and the data takes the next way. A ping of the peer on a way
// that we just used raises the same doubt: the peer may not hear us. So does data that comes on another way only: the peer has left ours,
// and knows its own network better; there two round trips without an answer are enough. If both ways answer, the ends come to one: of two ways of
// equal rank that counts of which the two addresses are less, and whoever is on the other takes it after a second of hearing the peer there. A way that worked once is tried again every two seconds, so that
// a network that heals is used again.
//
// Between relays of a region, what the peer says may come through another relay than what we say to it goes through: that through which its pongs come to
// pings on the way in use answers that.
//
// Size. Padded pings with short answers find the longest datagram that the way in use carries. It is measured again every minute; 15 s after the last time while long
// datagrams go out; and at once, but no more often than every 5 s, when long data is without an answer while pings are answered, or when a ping of the peer
// shows that it looks for the end of a hole.
//
// Rest. The way in use is kept open by pings (after 25 s, or over IPv4 as our NAT demands, see Own.Lifetime) for two minutes after the last packet. Then
// the peer's data goes to the relay again and the search is forgotten: a silent peer costs an entry of a table.
//
// A node is never a weapon. At most 16 candidates a peer come from an offer, never loopback, link-local, multicast, broadcast or overlay
// addresses, nor our own, nor the metadata services of clouds; an address that has proven nothing gets at most five pings a second, and as many
// answers to pings, for all peers together, and all ports of one address forty; guessing needs the word of a relay or STUN server of
// ours, one peer at a time, each once a minute, and each address once a minute that has not answered. A pong is no longer than its ping.
//
// # Picker: peers that speak plain WireGuard
//
// A Picker stands for one peer. A message that opens a session goes to every candidate until one answers: the same message to many
// addresses is answered once, by whichever way is fastest, because the peer takes the other copies for replays. Renewing a session
// that lives goes to the proven address alone. Anything else is a sign that the proven address may not hold any more (nothing was
// heard for a while, or the last message got no answer), and every candidate is tried again, the proven address with them.
//
// A Picker needs no timer: whoever opens sessions repeats itself, and each repetition asks again.
package path
