package stun

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// The samples of RFC 5769, sections 2.1 to 2.3. Their fingerprints cover every byte.
const (
	sampleRequest = `000100582112a442b7e7a701bc34d686fa87dfae
		802200105354554e207465737420636c69656e74 002400046e0001ff 80290008932ff9b151263b36
		000600096576746a3a68367659202020 000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2 80280004e57a3bcf`
	sampleIPv4 = `0101003c2112a442b7e7a701bc34d686fa87dfae
		8022000b7465737420766563746f7220 002000080001a147e112a643
		000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004c07d4c96`
	sampleIPv6 = `010100482112a442b7e7a701bc34d686fa87dfae
		8022000b7465737420766563746f7220 002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9
		00080014a382954e4be67bf11784c97c8292c275bfe3ed41 80280004c8fb0b4c`
)

func sample(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

func TestSamplesOfTheStandardAreRead(t *testing.T) {
	m, err := Parse(sample(sampleRequest))
	if err != nil || m.Type != TypeRequest || !slices.Equal(m.Unknown, []uint16{0x0024}) {
		t.Fatalf("%+v, %v; want a request whose PRIORITY is unknown", m, err)
	}
	for s, want := range map[string]string{sampleIPv4: "192.0.2.1:32853", sampleIPv6: "[2001:db8:1234:5678:11:2233:4455:6677]:32853"} {
		m, err := Parse(sample(s))
		if err != nil || m.Type != TypeSuccess || m.Mapped != netip.MustParseAddrPort(want) || m.Unknown != nil {
			t.Errorf("%+v, %v; want %s", m, err, want)
		}
	}
}

func TestEveryFlippedBitIsNoticed(t *testing.T) {
	b := sample(sampleIPv4)
	for i := range len(b) * 8 {
		b[i/8] ^= 1 << (i % 8)
		if m, err := Parse(b); err == nil && m.Mapped.IsValid() {
			// Without its type the fingerprint is an attribute that nobody knows, and a longer attribute before it may swallow it.
			kind, swallowed := len(b)-fingerprintSize, 48+3
			if at := i / 8; at != kind && at != kind+1 && at != swallowed {
				t.Errorf("bit %d: %+v", i, m)
			}
		}
		b[i/8] ^= 1 << (i % 8)
	}
}

func TestCutMessagesAreRefused(t *testing.T) {
	b := sample(sampleIPv6)
	for n := range b {
		if _, err := Parse(b[:n]); err == nil {
			t.Errorf("%d bytes of %d were accepted", n, len(b))
		}
	}
	if _, err := Parse(append(b, 0, 0, 0, 0)); err == nil {
		t.Error("a longer datagram was accepted")
	}
}

func TestRequestIsLongEnoughForEveryAnswer(t *testing.T) {
	for _, change := range []Change{0, ChangePort, ChangeIP | ChangePort} {
		b := AppendRequest([]byte("before"), TxID{7}, change)[len("before"):]
		m, err := Parse(b)
		if err != nil || len(b) != RequestSize || m.Change != change || m.Tx != (TxID{7}) || m.Unknown != nil {
			t.Errorf("%+v, %v, %d bytes", m, err, len(b))
		}
		if !bytes.Equal(AppendRequest(nil, TxID{7}, change), b) {
			t.Error("what stands before it changes the request")
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{sampleRequest, sampleIPv4, sampleIPv6} {
		f.Add(sample(s))
	}
	f.Add(AppendRequest(nil, TxID{1}, ChangeIP))
	servers := []Server{{}, {Other: netip.MustParseAddrPort("192.0.2.2:3479")}, {Other: netip.MustParseAddrPort("[2001:db8::1]:3479")}}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		for _, s := range servers {
			for _, from := range []string{"192.0.2.9:9", "[2001:db8::9]:9"} {
				answer, _, ok := s.Answer(nil, b, netip.MustParseAddrPort(from))
				if ok != (err == nil && m.Type == TypeRequest) || len(answer) > max(len(b), BareAnswer) {
					t.Fatalf("answered %v with %d bytes to %d; parsed: %v", ok, len(answer), len(b), err)
				}
				if !ok {
					continue
				}
				a, err := Parse(answer)
				if err != nil || a.Tx != m.Tx || a.Type == TypeSuccess && a.Mapped.String() != from {
					t.Fatalf("answer %x: %+v, %v", answer, a, err)
				}
			}
		}
	})
}
