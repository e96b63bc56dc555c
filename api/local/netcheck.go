package local

import (
	"net/netip"
	"time"
)

// NetCheck answers GetNetCheck: what this machine's network lets through.
type NetCheck struct {
	Schema  int            `json:"schema"`
	Took    time.Duration  `json:"took_ns"`
	IPv4    NetFamily      `json:"ipv4"`
	IPv6    NetFamily      `json:"ipv6"`
	Hairpin string         `json:"hairpin"` // yes, no, not needed, unknown
	Ports   NetPorts       `json:"port_mapping"`
	Captive bool           `json:"captive_portal"`            // something answers in the relays' place
	Relays  []NetRelay     `json:"relays"`                    // the fastest first
	Clock   *time.Duration `json:"clock_offset_ns,omitempty"` // the controller's clock less this machine's; absent: not known
	Meaning []string       `json:"meaning"`                   // sentences, the most important first
}

// NetFamily is what was found out of IPv4 or IPv6.
type NetFamily struct {
	Asked     bool             `json:"asked"` // a relay has an address of this family; else nothing is known of it
	UDP       bool             `json:"udp"`
	Outside   []netip.AddrPort `json:"outside"`   // where relays saw the check's socket
	Mapping   string           `json:"mapping"`   // none, independent, address, address and port, unknown (RFC 4787)
	Filtering string           `json:"filtering"` // independent, address, address and port, unknown
	KeptPort  string           `json:"kept_port"` // yes, no, unknown
	// Lifetime is for how long an idle mapping, or a firewall's state, is kept at least, as the daemon has measured since the network changed; absent: it has not. IPv4 only.
	Lifetime time.Duration `json:"mapping_lifetime_ns,omitempty"`
}

// NetPorts is what the router says of port mapping.
type NetPorts struct {
	Protocols []string        `json:"protocols"`          // PCP, NAT-PMP, UPnP
	Outside   *netip.Addr     `json:"outside,omitempty"`  // the router's outside address
	External  *netip.AddrPort `json:"external,omitempty"` // the mapping that there is
	DoubleNAT bool            `json:"double_nat"`         // the router is itself behind a NAT
	Pinholes  bool            `json:"ipv6_pinholes"`      // over IPv6 the router lets in what it is asked to, by PCP
}

// NetRelay is one relay as seen from here.
type NetRelay struct {
	Name    string        `json:"name"`
	Region  string        `json:"region,omitempty"`
	UDP     time.Duration `json:"udp_rtt_ns,omitempty"` // absent: no answer
	TLS     time.Duration `json:"tls_rtt_ns,omitempty"`
	Proxy   string        `json:"proxy,omitempty"`             // host:port of the HTTP proxy without which TLS gets no answer
	Ended   bool          `json:"certificate_ended,omitempty"` // over TLS it shows a certificate that has ended by this machine's clock
	MTU     int           `json:"mtu,omitempty"`               // bytes of the largest IP packet that passes; absent: not measured
	Problem string        `json:"problem,omitempty"`
}
