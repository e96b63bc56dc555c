package msg

// Limits of what is read and written. None comes from an RFC: each is several times what deployed peers send, and small enough
// that a hostile message costs less than the key exchange it wants to provoke.
const (
	MaxMessage    = 1 << 15 // bytes of a message, or of the payloads inside SK once all fragments are together
	MaxPayloads   = 64      // in one chain; a chain of certificates, a dozen notifications and vendor IDs are 30
	MaxProposals  = 64      // in one SA; Windows sends 18
	MaxTransforms = 64      // in one proposal; libreswan's and Android's longest have about 30
	MaxAttributes = 4       // of one transform; RFC 7296 defines one
	MaxSelectors  = 128     // in one TSi or TSr; narrowing compares each with each
	MaxSPIs       = 256     // in one Delete
	MaxConfig     = 256     // attributes in one CP; split-tunnel routes of road warriors are the longest lists
	MaxFragments  = 64      // of one message: MaxMessage in pieces that fit an IPv4 datagram of 576 bytes
	MinNonce      = 16      // bytes, §3.9
	MaxNonce      = 256     // bytes, §3.9
)

// Sizes on the wire, in bytes.
const (
	HeaderSize  = 28 // of a message
	GenericSize = 4  // of the header of a payload
	fragSize    = 4  // of the numbers of a fragment, which follow the generic header
)
