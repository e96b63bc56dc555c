package msg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
)

// one is a message with one payload of type t, whose generic header says next and critical bit as given.
func one(t PayloadType, next byte, critical bool, body ...byte) []byte {
	b := header(Informational, 0, 1).append(nil, t)
	flags := byte(0)
	if critical {
		flags = criticalBit
	}
	b = append(b, next, flags)
	b = binary.BigEndian.AppendUint16(b, uint16(GenericSize+len(body)))
	b = append(b, body...)
	setLength(b, len(b))
	return b
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestMalformedMessagesAreNamed(t *testing.T) {
	good := encode(t, Message{Header: header(Informational, 0, 1)})
	body := func(t PayloadType, parts ...[]byte) []byte { return one(t, 0, false, join(parts...)...) }
	proposal := func(fields ...byte) []byte { return fields }
	zeros := func(n int) []byte { return make([]byte, n) }
	gcm := []byte{0, 0, 0, 8, 1, 0, 0, 20}
	for _, c := range []struct {
		name   string
		b      []byte
		offset int
		want   string
	}{
		{"too short", good[:27], 0, "header at byte 0: 27 bytes, needs 28"},
		{"version 1", patched(good, 17, 0x10), 17, "header at byte 17: major version 1, not 2"},
		{"version 3", patched(good, 17, 0x30), 17, "header at byte 17: major version 3, not 2"},
		{"length lies", patched(good, 27, 29), 24, "header at byte 24: length 29, but the datagram has 28 bytes"},
		{"length huge", patched(good, 24, 0xff, 0xff, 0xff, 0xff), 24, "header at byte 24: length 4294967295, but the datagram has 28 bytes"},
		{"nobody's", patched(good, 0, zeros(8)...), 0, "header at byte 0: the initiator's SPI is zero"},
		{"promised payload missing", patched(good, 16, 40), 28, "Nonce: header at byte 28: 0 bytes, needs 4"},
		{"payload length 0", patched(one(TypeNonce, 0, false, zeros(16)...), 30, 0, 0), 30, "Nonce: length at byte 30: 0 is less than its header of 4"},
		{"payload too long", patched(one(TypeNonce, 0, false, zeros(16)...), 31, 21), 30, "Nonce: length at byte 30: 21, but 20 bytes are left"},
		{"chain ends early", patched(one(TypeVendor, 0, false, zeros(3)...), 31, 6), 34, "message at byte 34: 1 bytes after the last payload"},
		{"short nonce", body(TypeNonce, zeros(15)), 32, "Nonce: nonce at byte 32: 15 bytes, not 16 to 256"},
		{"long nonce", body(TypeNonce, zeros(257)), 32, "Nonce: nonce at byte 32: 257 bytes, not 16 to 256"},
		{"empty KE", body(TypeKE, []byte{0, 31, 0, 0}), 32, "KE: key exchange data at byte 32: 4 bytes, needs 5"},
		{"no identity", body(TypeIDi, []byte{2, 0, 0, 0}), 36, "IDi: identity at byte 36: 0 bytes for ID_FQDN"},
		{"IPv4 of 5 bytes", body(TypeIDr, []byte{1, 0, 0, 0}, zeros(5)), 36, "IDr: identity at byte 36: 5 bytes for ID_IPV4_ADDR"},
		{"no certificate", body(TypeCert, []byte{4}), 32, "CERT: certificate data at byte 32: 1 bytes, needs 2"},
		{"no encoding", body(TypeCertReq), 32, "CERTREQ: certificate encoding at byte 32: 0 bytes, needs 1"},
		{"empty AUTH", body(TypeAuth, []byte{2, 0, 0, 0}), 32, "AUTH: authentication data at byte 32: 4 bytes, needs 5"},
		{"no algorithm", body(TypeAuth, []byte{14, 0, 0, 0, 0, 1}), 36, "AUTH: authentication data at byte 36: no algorithm, or no signature after it"},
		{"no signature", body(TypeAuth, []byte{14, 0, 0, 0, 1, 1}), 36, "AUTH: authentication data at byte 36: no algorithm, or no signature after it"},
		{"SPI of ESP with 8 bytes", body(TypeNotify, []byte{3, 8, 0x40, 9}, zeros(8)), 33, "N: REKEY_SA at byte 33: SPI of 8 bytes for ESP"},
		{"SPI beyond the end", body(TypeNotify, []byte{3, 4, 0x40, 9, 1, 2}), 32, "N: REKEY_SA at byte 32: 6 bytes, needs 8"},
		{"short notification", body(TypeNotify, []byte{0, 0, 0}), 32, "N: notification at byte 32: 3 bytes, needs 4"},
		{"deleted IKE SPI", body(TypeDelete, []byte{1, 8, 0, 1}, zeros(8)), 33, "D: SPIs at byte 33: 1 of 8 bytes for IKE, which has none"},
		{"no SPIs", body(TypeDelete, []byte{3, 4, 0, 0}), 33, "D: SPIs at byte 33: 0 of 4 bytes for ESP"},
		{"fewer SPIs", body(TypeDelete, []byte{3, 4, 0, 2}, zeros(4)), 36, "D: SPIs at byte 36: 4 bytes for 2"},
		{"too many SPIs", body(TypeDelete, []byte{3, 4, 1, 1}, zeros(257*4)), 34, "D: SPIs at byte 34: 257, we take 256"},
		{"deleted what", body(TypeDelete, []byte{7, 4, 0, 1}, zeros(4)), 32, "D: delete at byte 32: for protocol 7, which has no SAs"},
		{"no proposals", body(TypeSA), 32, "SA: proposal 1: header at byte 32: 0 bytes, needs 8"},
		{"no transforms", body(TypeSA, proposal(0, 0, 0, 8, 1, 1, 0, 0)), 39, "SA: proposal 1: transforms at byte 39: 0, not 1 to 64"},
		{"transforms that are not there", body(TypeSA, proposal(0, 0, 0, 16, 1, 1, 0, 2), gcm), 40, "SA: proposal 1: transforms at byte 40: 2 do not fit 8 bytes"},
		{"transform too many", body(TypeSA, proposal(0, 0, 0, 24, 1, 1, 0, 1), patched(gcm, 0, 3), gcm), 40, "SA: proposal 1: transform 1: header at byte 40: it and the number of transforms disagree on which is the last"},
		{"last too early", body(TypeSA, proposal(0, 0, 0, 24, 1, 1, 0, 2), gcm, gcm), 40, "SA: proposal 1: transform 1: header at byte 40: it and the number of transforms disagree on which is the last"},
		{"transform mark", body(TypeSA, proposal(0, 0, 0, 16, 1, 1, 0, 1), patched(gcm, 0, 2)), 40, "SA: proposal 1: transform 1: header at byte 40: its first byte is 2, not 0 or 3"},
		{"transform length", body(TypeSA, proposal(0, 0, 0, 16, 1, 1, 0, 1), patched(gcm, 3, 4)), 42, "SA: proposal 1: transform 1: length at byte 42: 4 is less than its header of 8"},
		{"bytes after transforms", body(TypeSA, proposal(0, 0, 0, 17, 1, 1, 0, 1), gcm, zeros(1)), 48, "SA: proposal 1: transforms at byte 48: 1 bytes after the last"},
		{"bytes after proposals", body(TypeSA, proposal(0, 0, 0, 16, 1, 1, 0, 1), gcm, zeros(1)), 48, "SA: proposals at byte 48: 1 bytes after the last"},
		{"proposal mark", body(TypeSA, proposal(3, 0, 0, 16, 1, 1, 0, 1), gcm), 32, "SA: proposal 1: header at byte 32: its first byte is 3, not 0 or 2"},
		{"proposal 0", body(TypeSA, proposal(0, 0, 0, 16, 0, 1, 0, 1), gcm), 36, "SA: proposal 1: number at byte 36: 0; they begin at 1"},
		{"numbers stand still", body(TypeSA, proposal(2, 0, 0, 16, 1, 1, 0, 1), gcm, proposal(0, 0, 0, 16, 1, 1, 0, 1), gcm), 52, "SA: proposal 2: number at byte 52: 1 after 1"},
		{"ESP without SPI", body(TypeSA, proposal(0, 0, 0, 16, 1, 3, 0, 1), gcm), 38, "SA: proposal 1: SPI at byte 38: 0 bytes for ESP"},
		{"IKE with SPI of 4", body(TypeSA, proposal(0, 0, 0, 20, 1, 1, 4, 1), zeros(4), gcm), 38, "SA: proposal 1: SPI at byte 38: 4 bytes for IKE"},
		{"SPI longer than proposal", body(TypeSA, proposal(0, 0, 0, 10, 1, 3, 4, 1), zeros(2)), 32, "SA: proposal 1: SPI at byte 32: 10 bytes, needs 12"},
		{"key length 0", body(TypeSA, proposal(0, 0, 0, 20, 1, 1, 0, 1), patched(gcm, 3, 12), []byte{0x80, 14, 0, 0}), 48, "SA: proposal 1: transform 1: attribute 1: key length at byte 48: is no number of bits"},
		{"long key length", body(TypeSA, proposal(0, 0, 0, 22, 1, 1, 0, 1), patched(gcm, 3, 14), []byte{0, 14, 0, 2, 1, 0}), 48, "SA: proposal 1: transform 1: attribute 1: key length at byte 48: is no number of bits"},
		{"two key lengths", body(TypeSA, proposal(0, 0, 0, 24, 1, 1, 0, 1), patched(gcm, 3, 16), []byte{0x80, 14, 1, 0, 0x80, 14, 0, 128}), 52, "SA: proposal 1: transform 1: attribute 2: key length at byte 52: a second one"},
		{"attribute too long", body(TypeSA, proposal(0, 0, 0, 21, 1, 1, 0, 1), patched(gcm, 3, 13), []byte{0, 9, 0, 2, 1}), 52, "SA: proposal 1: transform 1: attribute 1: value at byte 52: 1 bytes, needs 2"},
		{"attribute cut off", body(TypeSA, proposal(0, 0, 0, 19, 1, 1, 0, 1), patched(gcm, 3, 11), []byte{0x80, 14, 1}), 48, "SA: proposal 1: transform 1: attribute 1: header at byte 48: 3 bytes, needs 4"},
		{"no selectors", body(TypeTSi, zeros(4)), 32, "TSi: selectors at byte 32: 0, not 1 to 128"},
		{"too many selectors", body(TypeTSi, []byte{129, 0, 0, 0}, zeros(129*16)), 32, "TSi: selectors at byte 32: 129, not 1 to 128"},
		{"selectors that are not there", body(TypeTSr, []byte{100, 0, 0, 0}, zeros(16)), 36, "TSr: selectors at byte 36: 100 do not fit 16 bytes"},
		{"selector length", body(TypeTSi, []byte{1, 0, 0, 0, 7, 0, 0, 15}, zeros(11)), 38, "TSi: selector 1: TS_IPV4_ADDR_RANGE at byte 38: length 15, not 16"},
		{"IPv6 too short", body(TypeTSi, []byte{1, 0, 0, 0, 8, 0, 0, 16}, zeros(12)), 38, "TSi: selector 1: TS_IPV6_ADDR_RANGE at byte 38: length 16, not 40"},
		{"selector loops", body(TypeTSi, []byte{1, 0, 0, 0, 9, 0, 0, 0}, zeros(4)), 38, "TSi: selector 1: length at byte 38: 0 is less than its header of 4"},
		{"ports downwards", body(TypeTSi, []byte{1, 0, 0, 0, 7, 0, 0, 16, 0, 2, 0, 1}, zeros(8)), 40, "TSi: selector 1: ports at byte 40: from 2 down to 1"},
		{"addresses downwards", body(TypeTSi, []byte{1, 0, 0, 0, 7, 0, 0, 16, 0, 0, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1}), 44, "TSi: selector 1: addresses at byte 44: the last is below the first"},
		{"more than the selectors", body(TypeTSi, []byte{1, 0, 0, 0, 7, 0, 0, 16}, zeros(13)), 52, "TSi: selectors at byte 52: 1 bytes after the last"},
		{"setting cut off", body(TypeCP, []byte{1, 0, 0, 0, 0, 1}), 36, "CP: attribute 1: header at byte 36: 2 bytes, needs 4"},
		{"setting too long", body(TypeCP, []byte{1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 4, 1}), 44, "CP: attribute 2: value at byte 44: 1 bytes, needs 4"},
		{"too many settings", body(TypeCP, []byte{1, 0, 0, 0}, zeros(257*4)), 1060, "CP: attributes at byte 1060: more than 256"},
		{"EAP length", body(TypeEAP, []byte{1, 1, 0, 6, 1}), 34, "EAP: packet at byte 34: length 6 in a payload of 5"},
		{"EAP success that talks", body(TypeEAP, []byte{3, 1, 0, 5, 1}), 36, "EAP: packet at byte 36: 1 bytes of data with code 3"},
		{"EAP request that does not", body(TypeEAP, []byte{1, 1, 0, 4}), 36, "EAP: packet at byte 36: 0 bytes of data with code 1"},
		{"empty SK", body(TypeSK), 32, "SK at byte 32: 0 bytes, needs 1"},
		{"payload after SK", join(patched(one(TypeSK, 40, false, 1), 27, 53), zeros(20)), 33, "message at byte 33: 20 bytes after the last payload"},
		{"fragment 0", body(TypeSKF, []byte{0, 0, 0, 1, 9}), 32, "SKF at byte 32: fragment 0 of 1"},
		{"fragment 3 of 2", body(TypeSKF, []byte{0, 3, 0, 2, 9}), 32, "SKF at byte 32: fragment 3 of 2"},
		{"65 fragments", body(TypeSKF, []byte{0, 1, 0, 65, 9}), 34, "SKF at byte 34: 65 fragments, we take 64"},
		{"empty fragment", body(TypeSKF, []byte{0, 1, 0, 1}), 32, "SKF at byte 32: 4 bytes, needs 5"},
		{"critical stranger", one(77, 0, true, 1, 2), 28, "payload 77 at byte 28: critical, and we do not know it"},
	} {
		_, err := Parse(c.b)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: taken", c.name)
			continue
		}
		if want := "ike message: " + c.want; err.Error() != want || e.Offset != c.offset {
			t.Errorf("%s:\n got %q at %d\nwant %q at %d", c.name, err, e.Offset, want, c.offset)
		}
		want := InvalidSyntax
		switch c.name {
		case "version 1", "version 3":
			want = InvalidMajorVersion
		case "critical stranger":
			want = UnsupportedCriticalPayload
		}
		if e.Notify != want || want == UnsupportedCriticalPayload && e.Payload != 77 {
			t.Errorf("%s: the peer is told %s %s, want %s", c.name, e.Notify, e.Payload, want)
		}
	}
}

func TestTooMuchOfEverythingIsRefused(t *testing.T) {
	vendors := make([]Payload, MaxPayloads)
	for i := range vendors {
		vendors[i] = Vendor("v")
	}
	b := encode(t, Message{header(Informational, 0, 0), vendors})
	b[len(b)-5] = byte(TypeVendor) // the next payload of the last
	b = append(b, 0, 0, 0, 4)
	setLength(b, len(b))
	wantFault(t, b, "payload 65 of 64")

	proposals := make(SA, MaxProposals)
	for i := range proposals {
		proposals[i] = Proposal{Number: uint8(i + 1), Protocol: ProtocolIKE, Transforms: make([]Transform, 1)}
	}
	b = encode(t, Message{header(IKESAInit, 0, 0), []Payload{proposals}})
	b[len(b)-16] = moreProposal
	b = append(b, 0, 0, 0, 16, MaxProposals+1, 1, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0)
	setLength(b, len(b))
	binary.BigEndian.PutUint16(b[HeaderSize+2:], uint16(len(b)-HeaderSize))
	wantFault(t, b, "proposal 65 of 64")

	attributes := one(TypeSA, 0, false, 0, 0, 0, 36, 1, 1, 0, 1, 0, 0, 0, 28, 1, 0, 0, 20,
		0x80, 1, 0, 0, 0x80, 2, 0, 0, 0x80, 3, 0, 0, 0x80, 4, 0, 0, 0x80, 5, 0, 0)
	wantFault(t, attributes, "attribute 5 of 4")

	b = one(TypeVendor, 0, false, make([]byte, MaxMessage-HeaderSize-GenericSize)...)
	if _, err := Parse(b); err != nil {
		t.Errorf("the longest message: %v", err)
	}
	wantFault(t, one(TypeVendor, 0, false, make([]byte, MaxMessage-HeaderSize-GenericSize+1)...), "a byte too much")
	if _, err := Chain(TypeVendor, make([]byte, MaxMessage+1)); err == nil {
		t.Error("a byte too much inside is taken")
	}
}

func wantFault(t *testing.T, b []byte, name string) {
	t.Helper()
	if _, err := Parse(b); err == nil {
		t.Errorf("%s is taken", name)
	}
}

func TestStrangersAreSkippedUnlessCritical(t *testing.T) {
	m, err := Parse(one(77, 0, false, 1, 2))
	if err != nil {
		t.Fatal(err)
	}
	if u, ok := First[Unknown](m.Payloads); !ok || u.Kind != 77 || !bytes.Equal(u.Body, []byte{1, 2}) {
		t.Errorf("%+v is kept", m.Payloads)
	}
	if m, err = Parse(one(TypeVendor, 0, true, 1, 2)); err != nil || len(slices.Collect(All[Vendor](m.Payloads))) != 1 {
		t.Errorf("a critical payload that we know: %v", err) // §2.5: its bit is ignored
	}
}

func TestNothingIsEncryptedTwice(t *testing.T) {
	for _, inner := range []Payload{SK{First: TypeVendor, Body: []byte{1}}, SKF{Number: 1, Total: 1, Body: []byte{1}}} {
		b := encode(t, Message{header(Informational, 0, 0), []Payload{inner}})
		if _, err := Chain(inner.Type(), b[HeaderSize:]); err == nil {
			t.Errorf("%s inside SK is taken", inner.Type())
		}
		if _, _, err := AppendChain(nil, []Payload{inner}); err == nil {
			t.Errorf("%s inside SK is written", inner.Type())
		}
	}
}

func TestReservedBitsAreNotLookedAt(t *testing.T) {
	b := encode(t, authRequest(t))
	id := b[HeaderSize:]
	id[1], id[5] = 0x7f, 0x55
	b[19] |= 0xc7
	b[17] |= 0x0f // a minor version yet to come
	m, err := Parse(b)
	if err != nil || m.Flags != FromInitiator {
		t.Fatalf("%+v, %v", m.Header, err)
	}
	got, _ := First[IDi](m.Payloads)
	if signed := Identity(got).Append(nil); !bytes.Equal(signed, id[4:4+len(signed)]) {
		t.Errorf("AUTH would sign %x, the peer signed %x", signed, id[4:4+len(signed)])
	}
}
