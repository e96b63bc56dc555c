// Package ipsec is IPsec as a tunnel speaks it: package core/esp carries the packets, a Keyer makes the keys, package tunnel owns paths,
// queues, sockets and counters, and this one puts each into the words of the others. What ESP promises stands in core/esp.
//
// # Who calls whom
//
//	tunnel's owner  ->  transport  ->  Keyer        messages of IKE, wishes, ends of lifetimes
//	                    transport  <-  Keyer, by Host, while it is called: Send, Install, Delete
//	tunnel's workers -> session = esp.Pair          packets, without the owner
//
// An SPI that the Keyer has offered is told to the tunnel, which holds what comes by it until the pair is installed, a second at most: other
// implementations seal with a pair before the answer has left that makes it ours.
//
// The non-ESP marker (RFC 3948) is put before messages and taken off here: a Keyer sees neither it nor ports.
package ipsec
