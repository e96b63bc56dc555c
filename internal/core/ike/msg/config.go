package msg

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// CP asks for addresses and other settings of the inside, or gives them, §3.15.
type CP struct {
	Kind       ConfigKind
	Attributes []Config
}

// Config is one setting; a request has those that it wishes for, mostly without a value.
type Config struct {
	Kind  ConfigType // 15 bits
	Value []byte
}

// ConfigKind is what a CP does.
type ConfigKind uint8

const (
	ConfigRequest ConfigKind = 1
	ConfigReply   ConfigKind = 2
	ConfigSet     ConfigKind = 3
	ConfigAck     ConfigKind = 4
)

// ConfigType is the number of a setting.
type ConfigType uint16

const (
	ConfigIP4        ConfigType = 1
	ConfigIP4Netmask ConfigType = 2
	ConfigIP4DNS     ConfigType = 3
	ConfigIP4DHCP    ConfigType = 6
	ConfigVersion    ConfigType = 7
	ConfigIP6        ConfigType = 8
	ConfigIP6DNS     ConfigType = 10
	ConfigIP6DHCP    ConfigType = 12
	ConfigIP4Subnet  ConfigType = 13
	ConfigSupported  ConfigType = 14
	ConfigIP6Subnet  ConfigType = 15
	ConfigDNSDomain  ConfigType = 25 // RFC 8598
	ConfigDNSSECTA   ConfigType = 26
)

func (CP) Type() PayloadType { return TypeCP }

// Addr is the address of an attribute that holds one. That of ConfigIP6 is followed by the length of a prefix, which says nothing
// about a single address and is left out.
func (c Config) Addr() (netip.Addr, bool) {
	switch {
	case len(c.Value) == 4, len(c.Value) == 16:
		return netip.AddrFromSlice(c.Value)
	case len(c.Value) == 17 && c.Kind == ConfigIP6:
		return netip.AddrFromSlice(c.Value[:16])
	}
	return netip.Addr{}, false
}

// Prefix is the subnet of a ConfigIP4Subnet (address and mask) or ConfigIP6Subnet (address and length).
func (c Config) Prefix() (netip.Prefix, bool) {
	switch {
	case c.Kind == ConfigIP4Subnet && len(c.Value) == 8:
		bits, ok := maskBits(binary.BigEndian.Uint32(c.Value[4:]))
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(c.Value)), bits), ok
	case c.Kind == ConfigIP6Subnet && len(c.Value) == 17:
		p := netip.PrefixFrom(netip.AddrFrom16([16]byte(c.Value)), int(c.Value[16]))
		return p, p.IsValid()
	}
	return netip.Prefix{}, false
}

// SubnetConfig is the attribute that Prefix reads.
func SubnetConfig(p netip.Prefix) Config {
	if p.Addr().Is4() {
		mask := ^uint32(0) << (32 - p.Bits())
		return Config{Kind: ConfigIP4Subnet, Value: binary.BigEndian.AppendUint32(p.Addr().AsSlice(), mask)}
	}
	return Config{Kind: ConfigIP6Subnet, Value: append(p.Addr().AsSlice(), byte(p.Bits()))}
}

// maskBits is the number of leading ones of a mask that has no others.
func maskBits(mask uint32) (int, bool) {
	for bits := range 33 {
		if mask == ^uint32(0)<<(32-bits) {
			return bits, true
		}
	}
	return 0, false
}

func parseCP(s span) (CP, *Error) {
	if err := s.need(4, "configuration"); err != nil {
		return CP{}, err
	}
	cp := CP{Kind: ConfigKind(s.b[0])}
	_, s = s.cut(4)
	for len(s.b) > 0 {
		if len(cp.Attributes) == MaxConfig {
			return cp, s.fail(0, "attributes", "more than %d", MaxConfig)
		}
		c, tail, err := nextConfig(s)
		if err != nil {
			return cp, err.within("attribute %d", len(cp.Attributes)+1)
		}
		cp.Attributes, s = append(cp.Attributes, c), tail
	}
	return cp, nil
}

func nextConfig(s span) (c Config, tail span, err *Error) {
	if err = s.need(4, "header"); err != nil {
		return c, tail, err
	}
	head, tail := s.cut(4)
	size := int(head.u16(2))
	if err = tail.need(size, "value"); err != nil {
		return c, tail, err
	}
	value, tail := tail.cut(size)
	return Config{Kind: ConfigType(head.u16(0) &^ reservedBit), Value: value.bytes()}, tail, nil
}

const reservedBit = 1 << 15

func (c CP) body(b []byte) ([]byte, error) {
	if len(c.Attributes) > MaxConfig {
		return b, &EncodeError{"CP", fmt.Sprintf("%d attributes, the limit is %d", len(c.Attributes), MaxConfig)}
	}
	b = append(b, byte(c.Kind), 0, 0, 0)
	for _, a := range c.Attributes {
		if a.Kind&reservedBit != 0 || len(a.Value) > MaxMessage {
			return b, &EncodeError{"CP: " + a.Kind.String(), fmt.Sprintf("its type has more than 15 bits, or its value more than %d bytes", MaxMessage)}
		}
		b = binary.BigEndian.AppendUint16(b, uint16(a.Kind))
		b = binary.BigEndian.AppendUint16(b, uint16(len(a.Value)))
		b = append(b, a.Value...)
	}
	return b, nil
}
