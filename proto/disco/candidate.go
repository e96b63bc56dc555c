package disco

import (
	"fmt"
	"net/netip"
)

// Candidate is an address at which the sender of an offer may be reached, and how it came by it. A receiver believes neither.
type Candidate struct {
	Addr netip.AddrPort
	Kind CandidateKind
}

// CandidateKind says how a node came by an address of its own. Kinds that a receiver does not know arrive as they are; it leaves
// them out.
type CandidateKind uint8

// The kinds of candidates. The first two are named as in RFC 8445, section 5.1.1.
const (
	Host            CandidateKind = iota + 1 // one of its interfaces has it
	ServerReflexive                          // a STUN server saw it
	PortMapped                               // its router promised it, by PCP, NAT-PMP or UPnP
	RelaySeen                                // a relay saw it
	Guessable                                // a STUN server or relay saw it, but toward others its NAT takes other ports
)

// String returns a short name for people and logs.
func (k CandidateKind) String() string {
	switch k {
	case Host:
		return "host"
	case ServerReflexive:
		return "server-reflexive"
	case PortMapped:
		return "port-mapped"
	case RelaySeen:
		return "relay-seen"
	case Guessable:
		return "guessable"
	}
	return fmt.Sprintf("kind-%d", uint8(k))
}

// Mapping is how the NAT before a node gives out addresses (RFC 4787, section 4.1), as far as the node could find out. Values that a
// receiver does not know are MappingUnknown to it.
type Mapping uint8

// The mapping behaviours.
const (
	MappingUnknown              Mapping = iota
	MappingNone                         // no NAT: outside it has the address of its interface
	MappingEndpointIndependent          // one outside address, whoever it sends to
	MappingAddressDependent             // another for each address that it sends to
	MappingAddressPortDependent         // another for each address and port
)

// String returns the name that RFC 4787 uses.
func (m Mapping) String() string {
	switch m {
	case MappingNone:
		return "none"
	case MappingEndpointIndependent:
		return "endpoint-independent"
	case MappingAddressDependent:
		return "address-dependent"
	case MappingAddressPortDependent:
		return "address-and-port-dependent"
	}
	return "unknown"
}
