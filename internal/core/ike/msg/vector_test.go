package msg

import (
	"bytes"
	"net/netip"
	"reflect"
	"testing"
)

// RFC 7634 appendix B: an INFORMATIONAL request with SET_WINDOW_SIZE inside SK.
func TestTheMessageOfRFC7634(t *testing.T) {
	raw := unhex(t, `
		c0c1c2c3c4c5c6c7 d0d1d2d3d4d5d6d7 2e 20 25 00 00000009 00000045
		29 00 0029
		1011121314151617                                         # IV
		610394701f8d017f7c12924889 6b71bfe25236efd7cdc67066906315b2`) // ciphertext, ICV
	m, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	want := Header{SPIi: 0xc0c1c2c3c4c5c6c7, SPIr: 0xd0d1d2d3d4d5d6d7, Exchange: Informational, ID: 9}
	sk, ok := First[SK](m.Payloads)
	if m.Header != want || !ok || sk.First != TypeNotify || len(m.Payloads) != 1 || len(sk.Body) != 8+13+16 {
		t.Fatalf("%+v", m)
	}
	if got := sk.Associated(raw); !bytes.Equal(got, raw[:32]) {
		t.Errorf("authenticated beside the ciphertext: %x", got)
	}
	inside := unhex(t, "00 00 000c 00 00 4001 0000000a") // the plaintext without its pad length
	ps, err := Chain(sk.First, inside)
	if err != nil {
		t.Fatal(err)
	}
	set := Notify{Kind: SetWindowSize, Data: []byte{0, 0, 0, 10}}
	if !reflect.DeepEqual(ps, []Payload{set}) {
		t.Fatalf("inside: %+v", ps)
	}

	first, plain, err := AppendChain(nil, ps)
	if err != nil || first != TypeNotify || !bytes.Equal(plain, inside) {
		t.Errorf("written inside: %s %x, %v", first, plain, err)
	}
	got, err := want.AppendSK(nil, first, len(sk.Body))
	if err != nil || !bytes.Equal(got, raw[:32]) {
		t.Errorf("written outside: %x, %v", got, err)
	}
	if got := encode(t, m); !bytes.Equal(got, raw) {
		t.Errorf("written whole: %x", got)
	}
}

// RFC 5903 §8.1: the KE payload of the initiator with the 256-bit group.
func TestTheKeyExchangeOfRFC5903(t *testing.T) {
	payload := unhex(t, `00000048 00130000
		DAD0B653 94221CF9 B051E1FE CA5787D0 98DFE637 FC90B9EF 945D0C37 72581180
		5271A046 1CDB8252 D61F1C45 6FA3E59A B1F45B33 ACCF5F58 389E0577 B8990BB3`)
	ps, err := Chain(TypeKE, payload)
	if err != nil {
		t.Fatal(err)
	}
	ke, ok := First[KE](ps)
	if !ok || ke.Method != KEP256 || !bytes.Equal(ke.Data, payload[8:]) {
		t.Fatalf("%+v", ps)
	}
	if _, got, err := AppendChain(nil, []Payload{ke}); err != nil || !bytes.Equal(got, payload) {
		t.Errorf("written: %x, %v", got, err)
	}
}

// Written by hand from the figures of RFC 7296 §3, each payload once; RFC 7383 §2.5 for the fragment.
func TestMessagesWrittenByHand(t *testing.T) {
	auth, err := NewSignature([]byte{0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70}, fill(8, 0)) // Ed25519, RFC 8420
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		raw  []byte
		m    Message
	}{
		{"an offer", unhex(t, `
			0102030405060708 0000000000000000 21 20 22 08 00000000 0000009c
			22 00 0040
			  02 00 0024 01 01 00 03                     # proposal 1: IKE, three transforms
			    03 00 000c 01 00 0014 800e 0100          # AES-GCM-16, 256 bits
			    03 00 0008 02 00 0006                    # PRF SHA2-384
			    00 00 0008 04 00 001f                    # Curve25519
			  00 00 0018 02 01 00 02                     # proposal 2
			    03 00 0008 01 00 001c                    # ChaCha20
			    00 00 0008 06 00 0024                    # ADDKE1 ML-KEM-768
			28 00 000c 001f 0000 deadbeef
			29 00 0014 000102030405060708090a0b0c0d0e0f
			2b 00 000a 00 00 402f 0002                   # SIGNATURE_HASH_ALGORITHMS: SHA2-256
			29 00 0008 63766c31
			00 00 000e 03 04 4009 31020304 6162`),
			Message{Header{SPIi: 0x0102030405060708, Exchange: IKESAInit, Flags: FromInitiator}, []Payload{
				SA{{Number: 1, Protocol: ProtocolIKE, Transforms: []Transform{
					{Type: Encryption, ID: EncrAESGCM16, KeyBits: 256}, {Type: PRF, ID: PRFSHA384}, {Type: KeyExchange, ID: KECurve25519}}},
					{Number: 2, Protocol: ProtocolIKE, Transforms: []Transform{
						{Type: Encryption, ID: EncrChaCha20}, {Type: AdditionalKE1, ID: KEMLKEM768}}}},
				KE{Method: KECurve25519, Data: []byte{0xde, 0xad, 0xbe, 0xef}},
				Nonce(fill(16, 0)),
				Notify{Kind: SignatureHashes, Data: []byte{0, 2}},
				Vendor("cvl1"),
				Notify{Protocol: ProtocolESP, SPI: []byte{0x31, 2, 3, 4}, Kind: RekeySA, Data: []byte("ab")},
			}}},
		{"an authentication", unhex(t, `
			0102030405060708 1112131415161718 23 20 23 08 00000001 000000e6
			25 00 000d 02 000000 612e6578 2e                     # IDi a.ex.
			26 00 0007 04 3000                                   # CERT
			24 00 0019 04 000102030405060708090a0b0c0d0e0f10111213
			27 00 000c 01 000000 c0000201                        # IDr 192.0.2.1
			2f 00 0018 0e 000000 07 30050603 2b6570 0001020304050607
			2c 00 0018 01 000000 0001 0000 000d 0008 0a010000 ffff0000
			2d 00 0018 01 000000 07 00 0010 0000 ffff 0a010000 0a01ffff
			2a 00 0030 01 000000 08 3a 0028 8000 80ff 20010db8000000000000000000000000 20010db8000000000000000000000001
			30 00 0010 03 04 0002 31020304 31020305
			00 00 0009 02 07 0005 01`),
			Message{header(IKEAuth, FromInitiator, 1), []Payload{
				IDi{Kind: IDFQDN, Data: []byte("a.ex.")},
				Cert{Encoding: CertX509, Data: []byte{0x30, 0}},
				CertReq{Encoding: CertX509, Authorities: fill(20, 0)},
				IDr{Kind: IDIPv4, Data: []byte{192, 0, 2, 1}},
				auth,
				CP{Kind: ConfigRequest, Attributes: []Config{{Kind: ConfigIP4}, {Kind: ConfigIP4Subnet, Value: []byte{10, 1, 0, 0, 255, 255, 0, 0}}}},
				TSi{{Kind: SelectIPv4, ToPort: 65535, From: netip.MustParseAddr("10.1.0.0"), To: netip.MustParseAddr("10.1.255.255")}},
				TSr{{Kind: SelectIPv6, Protocol: 58, FromPort: 128 << 8, ToPort: 128<<8 | 255,
					From: netip.MustParseAddr("2001:db8::"), To: netip.MustParseAddr("2001:db8::1")}},
				Delete{Protocol: ProtocolESP, SPIs: []uint32{0x31020304, 0x31020305}},
				EAP{Code: EAPResponse, ID: 7, Data: []byte{1}},
			}}},
		{"a fragment", unhex(t, `
			0102030405060708 1112131415161718 35 20 23 20 00000001 00000028
			24 00 000c 0001 0002 aabbccdd`),
			Message{header(IKEAuth, Response, 1), []Payload{SKF{First: TypeIDr, Number: 1, Total: 2, Body: []byte{0xaa, 0xbb, 0xcc, 0xdd}}}}},
	} {
		got, err := Parse(c.raw)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if !reflect.DeepEqual(got, c.m) {
			t.Errorf("%s: read %+v\nwant %+v", c.name, got, c.m)
		}
		if b := encode(t, c.m); !bytes.Equal(b, c.raw) {
			t.Errorf("%s: written %x\nwant %x", c.name, b, c.raw)
		}
	}
}
