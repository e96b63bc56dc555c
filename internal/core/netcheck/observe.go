package netcheck

import (
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/core/stun"
)

// Sight is where a server saw a socket.
type Sight struct {
	Server, Outside netip.AddrPort
}

// Family is what was observed over IPv4 or IPv6.
type Family struct {
	Asked     bool // there were servers of this family
	Sights    []Sight
	Filtering stun.Filtering
}

// Answer is a yes or no that may be missing.
type Answer uint8

// The answers.
const (
	Unknown Answer = iota
	Yes
	No
	Needless // there is no NAT
)

// String returns the word for people.
func (a Answer) String() string {
	switch a {
	case Yes:
		return "yes"
	case No:
		return "no"
	case Needless:
		return "not needed"
	default:
		return "unknown"
	}
}

// Relay is what was observed of one relay. Times of 0: no answer.
type Relay struct {
	Name, Region string
	UDP          time.Duration // round trip of a STUN question
	TLS          time.Duration // round trip of a TCP connection that TLS then used
	MTU          int           // bytes of an IP packet that passes; 0: not known
	Proxy        string        // host:port of the HTTP proxy without which TLS gets no answer; "": it is not needed, or there is none
	Foreign      bool          // somebody else than the relay answered over TLS
	Ended        bool          // the relay answered over TLS, with a certificate that has ended by this machine's clock
	Nameless     bool          // its name led to no address
	Problem      string        // of TLS, in words
}

// Gateway is what the router said of port mapping.
type Gateway struct {
	Protocols []string
	Outside   netip.Addr // its outside address; invalid: it does not say
	External  netip.AddrPort
	Pinholes  bool // over IPv6 it lets in what it is asked to
}

// Observed is everything that one check has observed.
type Observed struct {
	Took         time.Duration
	LocalPort    uint16       // of the socket that Sights are about
	Own          []netip.Addr // this machine's addresses
	IPv4, IPv6   Family
	Lifetime     time.Duration // for how long idle mappings of IPv4 are kept at least; 0: not known
	Hairpin      Answer
	Gateway      Gateway
	Relays       []Relay
	Clock        time.Duration // the controller's less ours
	ClockIsKnown bool
}
