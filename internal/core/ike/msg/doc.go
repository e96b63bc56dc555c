// Package msg turns IKEv2 messages into values and back. It knows the syntax of RFC 7296 and of the extensions that we speak, and
// nothing about which message may follow which: that is for package ike.
//
// # A message
//
//	message   = header (28 bytes) payload*
//	header    = SPIi (8) SPIr (8) next (1) version (1) exchange (1) flags (1) message ID (4) length (4)
//	payload   = next (1) critical (1 bit) reserved (7 bits) length (2) body
//	SA        = proposal*: last (1) 0 (1) length (2) number (1) protocol (1) SPI size (1) transforms (1) SPI transform*
//	transform = last (1) 0 (1) length (2) type (1) 0 (1) ID (2) attribute*
//	SKF       = number (2) total (2) IV ciphertext ICV, and SK the same without the first two (RFC 7383)
//
// All integers are big-endian. Over a socket shared with ESP four zero bytes precede the header (RFC 3948); they belong to the
// socket, not to the message, and never reach this package. The specification of every payload is the doc comment of its type.
//
// # Reading
//
// Parse reads a whole message and Chain the payloads that were inside SK. Nothing is copied: byte slices in the values are parts of
// the input, and good for as long as it is. What a sender claims is believed only after it has been counted: no allocation depends
// on a length or a count that the input does not back, and the limits below bound the rest.
//
// A payload of a type that we do not know is kept as Unknown if it may be skipped, and fails the message if it is critical (§2.5).
// The critical bit of a payload that we know means nothing and is lost. Reserved bits are not looked at, with one exception:
// those of an identity are signed by AUTH, so Identity keeps them.
//
// A message is well formed as a whole or not at all. An Error says what is wrong, where it is in the input, and which
// notification tells the peer; none of it repeats content of the message beyond numbers.
//
// # Writing
//
// Append writes what Parse accepts and nothing else: it reads its own output back before it returns it. That costs one or two
// microseconds for each of the few messages an hour that a pair of peers exchanges, and keeps every rule in one place.
package msg
