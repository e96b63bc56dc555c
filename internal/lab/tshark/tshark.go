// Package tshark asks an independent dissector, Wireshark's, what it reads in our datagrams. Tests that ask are skipped where it is not
// installed (Debian: apt-get install tshark).
package tshark

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Datagram is UDP over IPv4, from 192.0.2.From to 192.0.2.To, from and to one port.
type Datagram struct {
	From, To byte
	Port     uint16
	Data     []byte
}

// Read returns what tshark says about datagrams when it is called with more arguments.
func Read(t testing.TB, datagrams []Datagram, args ...string) string {
	t.Helper()
	program, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed")
	}
	file := filepath.Join(t.TempDir(), "datagrams.pcap")
	if err := os.WriteFile(file, capture(datagrams), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, append([]string{"-r", file}, args...)...)
	var faults bytes.Buffer
	cmd.Stderr = &faults
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark %q: %v: %s", args, err, faults.String())
	}
	return string(out)
}

// capture is a file of libpcap's classic format, a packet a second.
func capture(datagrams []Datagram) []byte {
	const rawIP = 101
	le, be := binary.LittleEndian, binary.BigEndian
	b := le.AppendUint32(nil, 0xa1b2c3d4)
	b = append(le.AppendUint32(b, 4<<16|2), make([]byte, 8)...)
	b = le.AppendUint32(le.AppendUint32(b, 1<<16), rawIP)
	for i, d := range datagrams {
		n := 28 + len(d.Data)
		for _, field := range []int{i, 0, n, n} {
			b = le.AppendUint32(b, uint32(field))
		}
		b = append(b, 0x45, 0, byte(n>>8), byte(n), 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, d.From, 192, 0, 2, d.To)
		b = be.AppendUint16(be.AppendUint16(b, d.Port), d.Port)
		b = append(be.AppendUint16(b, uint16(n-20)), 0, 0)
		b = append(b, d.Data...)
	}
	return b
}
