package control

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// Bounds of the list of relays.
const (
	MaxRelays         = 256
	MaxRelayAddresses = 8
	MaxRelayAddress   = 255 // bytes
)

// Relay is a relay that nodes may use, in Go's types.
type Relay struct {
	ID        ident.Relay
	Name      string     // RFC 1123 label
	Region    string     // RFC 1123 label; empty: none
	Addresses []string   // host:port, most wanted first, at least one, but for a Node's that has not begun: UDP and TLS over TCP
	STUN      uint16     // another UDP port that answers STUN; 0: none
	Draining  bool       // no new client should come
	Node      ident.Node // that is this relay; zero: a machine of its own is
}

// Equal reports whether two relays are told alike.
func (r Relay) Equal(o Relay) bool {
	return r.ID == o.ID && r.Name == o.Name && r.Region == o.Region && r.STUN == o.STUN && r.Draining == o.Draining && r.Node == o.Node &&
		slices.Equal(r.Addresses, o.Addresses)
}

// Message returns the form that travels.
func (r Relay) Message() *pb.Relay {
	return &pb.Relay{Id: uint64(r.ID), Name: r.Name, Region: r.Region, Addresses: r.Addresses, StunPort: uint32(r.STUN), Draining: r.Draining, Node: uint64(r.Node)}
}

// EncodeRelays returns the body of a Relays message. Equal lists give equal bytes.
func EncodeRelays(all []Relay) []byte {
	m := &pb.Relays{}
	for _, r := range all {
		m.Relays = append(m.Relays, r.Message())
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic("control: relays do not marshal: " + err.Error()) // only invalid UTF-8 could; names are labels, addresses ASCII
	}
	return b
}

// ParseRelay reads a relay and refuses whatever no controller of ours would send.
func ParseRelay(m *pb.Relay) (Relay, error) {
	r := Relay{ID: ident.Relay(m.GetId()), Name: m.GetName(), Region: m.GetRegion(), Addresses: m.GetAddresses(),
		STUN: uint16(m.GetStunPort()), Draining: m.GetDraining(), Node: ident.Node(m.GetNode())}
	switch {
	case r.ID.IsZero() || m.GetStunPort() > 1<<16-1:
		return Relay{}, errors.New("relay: has no identifier, or its STUN port is not one")
	case !clean.IsLabel(r.Name) || r.Region != "" && !clean.IsLabel(r.Region):
		return Relay{}, errors.New("relay: its name or region is not an RFC 1123 label")
	case len(r.Addresses) == 0 && r.Node.IsZero():
		return Relay{}, errors.New("relay: has no address")
	}
	if err := CheckRelayAddresses(r.Addresses); err != nil {
		return Relay{}, fmt.Errorf("relay: %w", err)
	}
	return r, nil
}

// CheckRelayAddresses refuses a list of addresses that cannot be told: too many, or one that is not host:port in printable ASCII.
func CheckRelayAddresses(all []string) error {
	if len(all) > MaxRelayAddresses {
		return fmt.Errorf("%d addresses, at most %d are allowed", len(all), MaxRelayAddresses)
	}
	for _, a := range all {
		host, port, err := net.SplitHostPort(a)
		if err != nil || host == "" || len(a) > MaxRelayAddress {
			return fmt.Errorf("address %.60q: want host:port", a)
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("address %.60q: the port is not a number from 1 to 65535", a)
		}
		for _, c := range []byte(a) {
			if c <= ' ' || c > '~' {
				return fmt.Errorf("address %.60q: has characters that no address has", a)
			}
		}
	}
	return nil
}
