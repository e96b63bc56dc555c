package msg

import "encoding/binary"

// Notify tells of an error, a state or an ability, §3.10.
type Notify struct {
	Protocol Protocol // of the SA that SPI names; nothing without SPI
	SPI      []byte   // of an existing Child SA
	Kind     NotifyType
	Data     []byte
}

func (Notify) Type() PayloadType { return TypeNotify }

// ChildSPI is the SPI of the Child SA that n is about. RekeySA and ChildSANotFound have to be about one.
func (n Notify) ChildSPI() (uint32, bool) {
	if n.Protocol != ProtocolESP && n.Protocol != ProtocolAH || len(n.SPI) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(n.SPI), true
}

// IsError reports whether n refuses something; unknown errors do too (§3.10.1).
func (n Notify) IsError() bool { return n.Kind < InitialContact }

// Uint16 is the data of a notification that is a number of 16 bits, such as the method that InvalidKE asks for.
func (n Notify) Uint16() (uint16, bool) {
	if len(n.Data) != 2 {
		return 0, false
	}
	return binary.BigEndian.Uint16(n.Data), true
}

func parseNotify(s span) (Notify, *Error) {
	if err := s.need(4, "notification"); err != nil {
		return Notify{}, err
	}
	n, spiSize := Notify{Protocol: Protocol(s.b[0]), Kind: NotifyType(s.u16(2))}, int(s.b[1])
	if !n.Protocol.fits(spiSize) {
		return Notify{}, s.fail(1, n.Kind.String(), "SPI of %d bytes for %s", spiSize, n.Protocol)
	}
	if err := s.need(4+spiSize, n.Kind.String()); err != nil {
		return Notify{}, err
	}
	_, rest := s.cut(4)
	spi, data := rest.cut(spiSize)
	n.SPI, n.Data = spi.bytes(), data.bytes()
	return n, nil
}

func (n Notify) body(b []byte) ([]byte, error) {
	if len(n.SPI) > 255 {
		return b, &EncodeError{"N: " + n.Kind.String(), "its SPI is longer than 255 bytes"}
	}
	b = append(b, byte(n.Protocol), byte(len(n.SPI)))
	b = binary.BigEndian.AppendUint16(b, uint16(n.Kind))
	return append(append(b, n.SPI...), n.Data...), nil
}
