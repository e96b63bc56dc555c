package wg_test

import (
	"encoding/binary"
	"net/netip"

	"github.com/cvlan/cvlan/internal/core/offload"
	"github.com/cvlan/cvlan/internal/core/offload/offloadtest"
)

// Protocols of an IP header.
const (
	protoTCP = 6
	protoUDP = 17
)

// packet makes an IP packet with a text that nobody parses.
func packet(from, to netip.Addr, text string) []byte {
	return append(offloadtest.Header(from, to, offloadtest.Experiment, len(text)), text...)
}

// fragmentable makes the same packet one that may be fragmented on its way.
func fragmentable(p []byte) []byte {
	p[6] = 0
	clear(p[10:12])
	binary.BigEndian.PutUint16(p[10:], offload.Sum(0).Bytes(p[:20]).Checksum())
	return p
}

// textOf is what packet was given.
func textOf(p []byte) string {
	if p[0]>>4 == 4 {
		return string(p[20:])
	}
	return string(p[40:])
}

// tcp makes a TCP segment with options and a payload, complete.
func tcp(from, to netip.Addr, flags byte, options, payload []byte) []byte {
	return offloadtest.Finish(offloadtest.Train(from, to, offload.TCP, flags, options, payload, 0))
}
