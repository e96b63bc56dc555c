package stun

// Mapping is how a NAT chooses the outside address of a socket (RFC 4787, section 4.1).
type Mapping uint8

// The mappings.
const (
	MappingUnknown     Mapping = iota // fewer than two servers at different IP addresses have answered
	MappingIndependent                // the same for every destination, or there is no NAT: a peer can use the address that a server saw
	MappingDependent                  // another for another destination: nobody but the server can use it
)

// String returns the word for people and logs.
func (m Mapping) String() string {
	switch m {
	case MappingIndependent:
		return "independent"
	case MappingDependent:
		return "dependent"
	default:
		return "unknown"
	}
}

// Mapping is what the latest round says about IPv4 so far. Only servers at different IP addresses are compared: some
// NATs keep a mapping for all ports of a destination (RFC 4787: address-dependent), and two ports of one server would not tell.
func (c *Client) Mapping() Mapping { return c.mapping(true) }

// Mapping6 is the same for IPv6.
func (c *Client) Mapping6() Mapping { return c.mapping(false) }

func (c *Client) mapping(four bool) Mapping {
	m := MappingUnknown
	for i, a := range c.asked {
		if !a.addr.IsValid() || a.addr.Addr().Is4() != four {
			continue
		}
		for _, b := range c.asked[:i] {
			switch {
			case !b.addr.IsValid() || b.server.Addr() == a.server.Addr() || b.addr.Addr().Is4() != four:
			case b.addr != a.addr:
				return MappingDependent
			default:
				m = MappingIndependent
			}
		}
	}
	return m
}
