package natmodel

import (
	"fmt"
	"strings"
	"time"
)

// Rule is how much of a remote a box tells apart (RFC 4787, sections 4.1 and 5).
type Rule uint8

// The rules.
const (
	Endpoint       Rule = iota // endpoint-independent: all remotes are alike
	Address                    // address-dependent
	AddressAndPort             // address- and port-dependent
)

// Ports is how outside ports are chosen.
type Ports uint8

// The ways.
const (
	Preserve   Ports = iota // the inside port, while it is free
	Random                  // any
	Sequential              // one after another
)

// Config says what a box does.
type Config struct {
	Routed    bool // it does not translate: a firewall, or nothing at all
	Mapping   Rule
	Filtering Rule
	Ports     Ports
	Hairpin   bool          // inside sockets reach each other by their outside addresses
	OpenInput bool          // see the package's comment
	NoUDP     bool          // no datagram passes
	Lifetime  time.Duration // of a mapping that nothing crosses; 0: 30 s
}

const defaultLifetime = 30 * time.Second

// Kinds are the names of the ten boxes of our grid, from the kindest to the worst.
var Kinds = []string{"none", "fw", "fullcone", "addr", "port", "port+rand", "linux+openinput", "symaddr", "sym", "noudp"}

// Kind returns the box of a name, which may have "+hairpin" behind it.
func Kind(name string) (Config, error) {
	plain, hairpin := strings.CutSuffix(name, "+hairpin")
	c, ok := map[string]Config{
		"none":            {Routed: true},
		"fw":              {Routed: true, Filtering: AddressAndPort},
		"fullcone":        {},
		"addr":            {Filtering: Address},
		"port":            {Filtering: AddressAndPort},
		"port+rand":       {Filtering: AddressAndPort, Ports: Random},
		"linux":           {Filtering: AddressAndPort},
		"linux+openinput": {Filtering: AddressAndPort, OpenInput: true},
		"symaddr":         {Mapping: AddressAndPort, Filtering: Address, Ports: Random},
		"sym":             {Mapping: AddressAndPort, Filtering: AddressAndPort, Ports: Random},
		"symseq":          {Mapping: AddressAndPort, Filtering: AddressAndPort, Ports: Sequential},
		"noudp":           {Filtering: AddressAndPort, NoUDP: true},
	}[plain]
	if !ok {
		return Config{}, fmt.Errorf("choose a NAT box: no kind is called %q; use one of %s", name, strings.Join(Kinds, ", "))
	}
	c.Hairpin = hairpin
	return c, nil
}
