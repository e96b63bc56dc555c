package msg

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
)

// fill is n bytes that count upwards from first.
func fill(n int, first byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

// unhex reads hexadecimal digits; white space and what follows a # in a line is for the reader.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(s) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func encode(t testing.TB, m Message) []byte {
	t.Helper()
	b, err := m.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func gcmOffer() SA {
	return SA{
		{Number: 1, Protocol: ProtocolIKE, Transforms: []Transform{
			{Type: Encryption, ID: EncrAESGCM16, KeyBits: 256}, {Type: PRF, ID: PRFSHA384},
			{Type: KeyExchange, ID: KECurve25519}, {Type: AdditionalKE1, ID: KEMLKEM768}, {Type: AdditionalKE1, ID: KENone},
		}},
		{Number: 2, Protocol: ProtocolIKE, Transforms: []Transform{
			{Type: Encryption, ID: EncrAESCBC, KeyBits: 128}, {Type: Integrity, ID: IntegSHA256},
			{Type: PRF, ID: PRFSHA256}, {Type: KeyExchange, ID: KEModp2048},
		}},
	}
}

func header(x Exchange, f Flags, id uint32) Header {
	return Header{SPIi: 0x0102030405060708, SPIr: 0x1112131415161718, Exchange: x, Flags: f, ID: id}
}

func initRequest() Message {
	h := header(IKESAInit, FromInitiator, 0)
	h.SPIr = 0
	return Message{h, []Payload{
		Notify{Kind: Cookie, Data: fill(20, 1)},
		gcmOffer(),
		KE{Method: KECurve25519, Data: fill(32, 0x40)},
		Nonce(fill(32, 0x80)),
		Notify{Kind: NATDetectionSource, Data: fill(20, 2)},
		Notify{Kind: NATDetectionDestination, Data: fill(20, 3)},
		Notify{Kind: FragmentationSupported},
		Notify{Kind: SignatureHashes, Data: []byte{0, 2, 0, 3, 0, 4, 0, 5}},
		Vendor("strange"),
	}}
}

// authRequest is what would be inside SK.
func authRequest(t testing.TB) Message {
	auth, err := NewSignature(unhex(t, "300a 06082a8648ce3d040302"), fill(70, 9)) // ecdsa-with-SHA256
	if err != nil {
		t.Fatal(err)
	}
	return Message{header(IKEAuth, FromInitiator, 1), []Payload{
		IDi{Kind: IDFQDN, Data: []byte("a.example")},
		Cert{Encoding: CertX509, Data: []byte{0x30, 0}},
		CertReq{Encoding: CertX509, Authorities: fill(40, 0)},
		IDr(AddrIdentity(netip.MustParseAddr("192.0.2.1"))),
		auth,
		CP{Kind: ConfigRequest, Attributes: []Config{{Kind: ConfigIP4}, {Kind: ConfigIP4DNS}, SubnetConfig(netip.MustParsePrefix("10.1.0.0/16"))}},
		SA{{Number: 1, Protocol: ProtocolESP, SPI: []byte{0x31, 2, 3, 4}, Transforms: []Transform{
			{Type: Encryption, ID: EncrAESGCM16, KeyBits: 256}, {Type: SequenceNumbers, ID: Sequence64}, {Type: SequenceNumbers, ID: Sequence32},
		}}},
		TSi{PrefixSelector(netip.MustParsePrefix("10.1.0.0/16")), {Kind: SelectIPv4, Protocol: 6, FromPort: 80, ToPort: 80,
			From: netip.MustParseAddr("10.2.0.1"), To: netip.MustParseAddr("10.2.0.9")}},
		TSr{PrefixSelector(netip.MustParsePrefix("2001:db8::/33")), {Kind: SelectIPv6, Protocol: 17, FromPort: 65535,
			From: netip.MustParseAddr("2001:db8::1"), To: netip.MustParseAddr("2001:db8::1")}},
		Notify{Kind: InitialContact},
	}}
}

func rekeyRequest() Message {
	return Message{header(CreateChildSA, FromInitiator, 2), []Payload{
		Notify{Protocol: ProtocolESP, SPI: []byte{0x31, 2, 3, 4}, Kind: RekeySA},
		SA{{Number: 1, Protocol: ProtocolIKE, SPI: fill(8, 0x21), Transforms: []Transform{{Type: Encryption, ID: EncrChaCha20}}}},
		Nonce(fill(16, 0)),
		Delete{Protocol: ProtocolESP, SPIs: []uint32{0x31020304, 0x31020305}},
		Delete{Protocol: ProtocolIKE},
		EAP{Code: EAPRequest, ID: 7, Data: []byte{1}},
		EAP{Code: EAPSuccess, ID: 8},
	}}
}

func sealedMessage() Message {
	return Message{header(IKEAuth, FromInitiator|Response, 1), []Payload{SK{First: TypeIDr, Body: fill(60, 0)}}}
}

func fragmentMessage() Message {
	return Message{header(IKEAuth, FromInitiator, 1), []Payload{SKF{First: TypeIDi, Number: 1, Total: 3, Body: fill(60, 0)}}}
}

// strangerMessage has what a codec of RFC 7296 does not know but keeps.
func strangerMessage() Message {
	return Message{header(Exchange(200), 0, 9), []Payload{
		Unknown{Kind: 49, Body: fill(5, 1)},
		Unknown{Kind: 200},
		SA{{Number: 3, Protocol: 6, SPI: fill(3, 1), Transforms: []Transform{
			{Type: 77, ID: 9, Unknown: []Attribute{{Type: 5, Value: 6}, {Type: 7, Long: []byte{}}, {Type: 8, Long: fill(3, 0)}}}}}},
		TSr{{Kind: 9, Protocol: 1, Unknown: fill(7, 0)}},
		CP{Kind: 9, Attributes: []Config{{Kind: 0x7fff, Value: fill(3, 1)}}},
		Notify{Protocol: 9, SPI: fill(3, 3), Kind: 40000, Data: fill(2, 2)},
		IDr{Kind: IDNobody, Reserved: [3]byte{1, 2, 3}},
		Auth{Method: 200, Data: []byte{1}},
	}}
}

func samples(t testing.TB) map[string]Message {
	return map[string]Message{
		"init": initRequest(), "auth": authRequest(t), "rekey": rekeyRequest(), "sealed": sealedMessage(),
		"fragment": fragmentMessage(), "stranger": strangerMessage(), "empty": {Header: header(Informational, Response, 5)},
	}
}

// patched is b with other bytes at i.
func patched(b []byte, i int, with ...byte) []byte {
	b = bytes.Clone(b)
	copy(b[i:], with)
	return b
}
