package lab

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Kind is what a site's router does to traffic between its LAN and the internet. The terms are those of RFC 4787:
// mapping is which external port an inside socket gets, filtering is who may answer it.
type Kind string

const (
	None     Kind = "none"     // routed, no filter
	Firewall Kind = "fw"       // routed, stateful: only what was asked for comes in
	FullCone Kind = "fullcone" // mapping and filtering independent of the endpoint
	AddrCone Kind = "addr"     // mapping independent, filtering by address
	PortCone Kind = "port"     // mapping independent, filtering by address and port
	Linux    Kind = "linux"    // plain masquerade: keeps the port while it is free
	Sym      Kind = "sym"      // mapping and filtering by address and port, random ports
	SymSeq   Kind = "symseq"   // the same with one port after another
	SymAddr  Kind = "symaddr"  // mapping by address and port, filtering by address, random ports
)

// IPv6 is what a site has of it.
type IPv6 int

const (
	NoIPv6       IPv6 = iota
	IPv6Stateful      // native, only what was asked for comes in
	IPv6Open          // native, no filter
)

// Spec says what a site's router does. It is written KIND[+OPTION…]:
//
//	none fw fullcone addr port linux sym symseq symaddr    see Kind
//	+rand      the external port is unlike the internal one (fullcone, addr, port, linux)
//	+hairpin   two computers of the LAN reach each other by their external addresses
//	+tN        UDP mappings live N seconds (30)
//	+noudp     drops UDP
//	+tcp443    lets nothing pass but TCP to port 443
//	+mtuN      drops packets of more than N bytes and says nothing
//	+openinput the router itself answers unsolicited packets
//	+pm        opens ports when it is asked to, by PCP or NAT-PMP
//	+v6        native IPv6 behind a stateful filter        +v6open   without one
//	+no4       no IPv4 on the LAN
type Spec struct {
	Kind      Kind
	Random    bool
	Hairpin   bool
	UDPLife   time.Duration
	NoUDP     bool
	Only443   bool
	BlackHole int // bytes; 0 for none
	OpenInput bool
	PortMap   bool
	IPv6      IPv6
	NoIPv4    bool

	text string
}

// ParseSpec reads a written Spec.
func ParseSpec(text string) (Spec, error) {
	kind, rest, _ := strings.Cut(text, "+")
	s := Spec{Kind: Kind(kind), UDPLife: 30 * time.Second, text: text}
	switch s.Kind {
	case None, Firewall, FullCone, AddrCone, PortCone, Linux, Sym, SymSeq, SymAddr:
	default:
		return Spec{}, fmt.Errorf("no router is of kind %q; use none, fw, fullcone, addr, port, linux, sym, symseq or symaddr", kind)
	}
	if rest == "" {
		if strings.HasSuffix(text, "+") {
			return Spec{}, fmt.Errorf("router %q: an option is missing after +", text)
		}
		return s, nil
	}
	for _, option := range strings.Split(rest, "+") {
		if err := s.set(option); err != nil {
			return Spec{}, fmt.Errorf("router %q: %w", text, err)
		}
	}
	return s, nil
}

func (s *Spec) set(option string) error {
	switch option {
	case "rand":
		s.Random = true
	case "hairpin":
		s.Hairpin = true
	case "noudp":
		s.NoUDP = true
	case "tcp443":
		s.Only443 = true
	case "openinput":
		s.OpenInput = true
	case "pm":
		s.PortMap = true
	case "v6":
		s.IPv6 = IPv6Stateful
	case "v6open":
		s.IPv6 = IPv6Open
	case "no4":
		s.NoIPv4 = true
	default:
		return s.setNumber(option)
	}
	return nil
}

func (s *Spec) setNumber(option string) error {
	if n, ok := number(option, "mtu", 68, 65535); ok {
		s.BlackHole = n
		return nil
	}
	if n, ok := number(option, "t", 1, 86400); ok {
		s.UDPLife = time.Duration(n) * time.Second
		return nil
	}
	return fmt.Errorf("no option is written +%s", option)
}

func number(option, name string, low, high int) (int, bool) {
	digits, found := strings.CutPrefix(option, name)
	n, err := strconv.Atoi(digits)
	return n, found && err == nil && low <= n && n <= high
}

// translates says whether the router rewrites addresses.
func (s Spec) translates() bool { return s.Kind != None && s.Kind != Firewall }
