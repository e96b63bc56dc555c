package control

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/proto/control/pb"
)

// Tunnels is a set of tunnel protocols.
type Tunnels uint8

// The protocols. Bits that are not known belong to newer nodes.
const (
	WireGuard Tunnels = 1 << iota
	IPsec
)

// Speech is which tunnels a node speaks, and which it would rather speak.
type Speech struct {
	Speaks  Tunnels // never zero in a record that was parsed
	Prefers Tunnels // one of them; zero: none
}

// String names the protocols of a set as people write them.
func (t Tunnels) String() string {
	switch t & (WireGuard | IPsec) {
	case WireGuard:
		return "wireguard"
	case IPsec:
		return "ipsec"
	case WireGuard | IPsec:
		return "wireguard, ipsec"
	}
	return "none"
}

// ParseTunnel reads the name of one protocol.
func ParseTunnel(s string) (Tunnels, error) {
	switch s {
	case "wireguard":
		return WireGuard, nil
	case "ipsec":
		return IPsec, nil
	}
	return 0, fmt.Errorf("tunnel protocol %.40q: not known; known are wireguard and ipsec", s)
}

// speechOf reads what a record says. One without a word is of a node from before there was a choice.
func speechOf(m *pb.Record) Speech {
	s := Speech{Tunnels(m.Speaks), Tunnels(m.Prefers)}
	if s.Speaks == 0 {
		s.Speaks = WireGuard
	}
	if s.Prefers != WireGuard && s.Prefers != IPsec {
		s.Prefers = 0
	}
	return s
}

func (s Speech) put(m *pb.Record) {
	m.Speaks, m.Prefers = uint32(s.Speaks), uint32(s.Prefers)
	if s.Speaks == WireGuard {
		m.Speaks = 0
	}
}

// Amend returns a record in which a node says what it speaks. Everything else is as it was, also what a newer controller has put there.
func Amend(record []byte, s Speech) ([]byte, error) {
	m, err := parseRaw(record)
	if err != nil {
		return nil, err
	}
	if speechOf(m) == s {
		return record, nil
	}
	s.put(m)
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// Restates reports whether a record differs from another in nothing but what its node speaks, which is the node's to say.
func Restates(record, other []byte) bool {
	if bytes.Equal(record, other) {
		return true
	}
	a, err := Amend(record, Speech{Speaks: WireGuard})
	if err != nil {
		return false
	}
	b, err := Amend(other, Speech{Speaks: WireGuard})
	return err == nil && bytes.Equal(a, b)
}

// SpeechIn is what a record says; the zero Speech: it is none.
func SpeechIn(record []byte) Speech {
	m, err := parseRaw(record)
	if err != nil {
		return Speech{}
	}
	return speechOf(m)
}

func parseRaw(record []byte) (*pb.Record, error) {
	if len(record) > MaxRecord {
		return nil, fmt.Errorf("node record: %d bytes, at most %d are allowed", len(record), MaxRecord)
	}
	m := new(pb.Record)
	if err := proto.Unmarshal(record, m); err != nil {
		return nil, fmt.Errorf("node record: %w", err)
	}
	return m, nil
}
