package msg

import (
	"encoding/binary"
	"fmt"
)

// Delete says that the sender has deleted, §3.11, with ProtocolIKE the IKE SA that carries the message and with ProtocolESP or
// ProtocolAH the Child SAs of which these are the SPIs that it receives on.
type Delete struct {
	Protocol Protocol
	SPIs     []uint32
}

func (Delete) Type() PayloadType { return TypeDelete }

func parseDelete(s span) (Delete, *Error) {
	if err := s.need(4, "delete"); err != nil {
		return Delete{}, err
	}
	d := Delete{Protocol: Protocol(s.b[0])}
	size, count := int(s.b[1]), int(s.u16(2))
	if count > MaxSPIs {
		return d, s.fail(2, "SPIs", "%d, we take %d", count, MaxSPIs)
	}
	switch d.Protocol {
	case ProtocolIKE:
		if size != 0 || count != 0 {
			return d, s.fail(1, "SPIs", "%d of %d bytes for IKE, which has none", count, size)
		}
	case ProtocolAH, ProtocolESP:
		if size != 4 || count == 0 {
			return d, s.fail(1, "SPIs", "%d of %d bytes for %s", count, size, d.Protocol)
		}
	default:
		return d, s.fail(0, "delete", "for %s, which has no SAs", d.Protocol)
	}
	_, rest := s.cut(4)
	if len(rest.b) != 4*count {
		return d, rest.fail(0, "SPIs", "%d bytes for %d", len(rest.b), count)
	}
	if count > 0 {
		d.SPIs = make([]uint32, count)
	}
	for i := range d.SPIs {
		d.SPIs[i] = rest.u32(4 * i)
	}
	return d, nil
}

func (d Delete) body(b []byte) ([]byte, error) {
	if len(d.SPIs) > MaxSPIs {
		return b, &EncodeError{"D", fmt.Sprintf("%d SPIs, the limit is %d", len(d.SPIs), MaxSPIs)}
	}
	size := byte(4)
	if d.Protocol == ProtocolIKE {
		size = 0
	}
	b = append(b, byte(d.Protocol), size)
	b = binary.BigEndian.AppendUint16(b, uint16(len(d.SPIs)))
	for _, spi := range d.SPIs {
		b = binary.BigEndian.AppendUint32(b, spi)
	}
	return b, nil
}
