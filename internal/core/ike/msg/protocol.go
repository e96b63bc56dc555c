package msg

// Protocol says what an SPI names, §3.3.1.
type Protocol uint8

const (
	NoProtocol  Protocol = 0
	ProtocolIKE Protocol = 1
	ProtocolAH  Protocol = 2
	ProtocolESP Protocol = 3
)

// fits reports whether an SPI of p may have size bytes, of which none is always one choice. We do not know the SPIs of protocols
// that we do not know.
func (p Protocol) fits(size int) bool {
	switch p {
	case ProtocolIKE:
		return size == 0 || size == 8
	case ProtocolAH, ProtocolESP:
		return size == 0 || size == 4
	}
	return true
}
