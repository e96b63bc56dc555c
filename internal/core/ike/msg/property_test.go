package msg

import (
	"bytes"
	"net/netip"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// Every message within our limits survives the wire, and there is one way to write it.
func TestAnyMessageSurvives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := Message{drawHeader(t), rapid.SliceOfN(rapid.Custom(drawPayload), 1, 12).Draw(t, "payloads")}
		if rapid.Bool().Draw(t, "sealed") {
			m.Payloads = append(m.Payloads, drawSealed(t))
		}
		b, err := m.Append(nil)
		if err != nil {
			t.Fatalf("%+v is not written: %v", m, err)
		}
		got, err := Parse(b)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Fatalf("%+v\nbecomes %+v, %v", m, got, err)
		}
		if again, err := got.Append([]byte{1}); err != nil || !bytes.Equal(again[1:], b) {
			t.Fatalf("%x becomes %x, %v", b, again, err)
		}
	})
}

// some is n to m bytes.
func some(t *rapid.T, n, m int) []byte { return rapid.SliceOfN(rapid.Byte(), n, m).Draw(t, "bytes") }

// maybe is up to n bytes, and nil instead of none.
func maybe(t *rapid.T, n int) []byte {
	if b := some(t, 0, n); len(b) > 0 {
		return b
	}
	return nil
}

func drawHeader(t *rapid.T) Header {
	return Header{
		SPIi: SPI(rapid.Uint64Min(1).Draw(t, "SPIi")), SPIr: SPI(rapid.Uint64().Draw(t, "SPIr")),
		Exchange: Exchange(rapid.Byte().Draw(t, "exchange")), Flags: Flags(rapid.Byte().Draw(t, "flags")) & knownFlags, ID: rapid.Uint32().Draw(t, "ID"),
	}
}

func drawSealed(t *rapid.T) Payload {
	first, body := PayloadType(rapid.Byte().Draw(t, "first")), some(t, 1, 99)
	if rapid.Bool().Draw(t, "whole") {
		return SK{First: first, Body: body}
	}
	total := rapid.Uint16Range(1, MaxFragments).Draw(t, "total")
	return SKF{First: first, Number: rapid.Uint16Range(1, total).Draw(t, "number"), Total: total, Body: body}
}

func drawPayload(t *rapid.T) Payload {
	switch rapid.IntRange(0, 15).Draw(t, "payload") {
	case 0:
		return drawSA(t)
	case 1:
		return KE{Method: TransformID(rapid.Uint16().Draw(t, "method")), Data: some(t, 1, 600)}
	case 2:
		return IDi{Kind: IDKeyID, Reserved: [3]byte(some(t, 3, 3)), Data: some(t, 1, 40)}
	case 3:
		return IDr(AddrIdentity(drawAddr(t, 16)))
	case 4:
		return Cert{Encoding: CertEncoding(rapid.Byte().Draw(t, "encoding")), Data: some(t, 1, 900)}
	case 5:
		return CertReq{Encoding: CertEncoding(rapid.Byte().Draw(t, "encoding")), Authorities: maybe(t, 60)}
	case 6:
		return Auth{Method: AuthSharedKey, Data: some(t, 1, 64)}
	case 7:
		return Nonce(some(t, MinNonce, MaxNonce))
	case 8:
		return Notify{Kind: NotifyType(rapid.Uint16().Draw(t, "kind")), Data: maybe(t, 30)}
	case 9:
		return Notify{Protocol: ProtocolESP, SPI: some(t, 4, 4), Kind: RekeySA}
	case 10:
		return Delete{Protocol: ProtocolESP, SPIs: rapid.SliceOfN(rapid.Uint32(), 1, 9).Draw(t, "SPIs")}
	case 11:
		return Vendor(some(t, 0, 30))
	case 12:
		return TSi(rapid.SliceOfN(rapid.Custom(drawSelector), 1, 5).Draw(t, "selectors"))
	case 13:
		return TSr(rapid.SliceOfN(rapid.Custom(drawSelector), 1, 5).Draw(t, "selectors"))
	case 14:
		return drawCP(t)
	}
	return EAP{Code: EAPResponse, ID: rapid.Byte().Draw(t, "ID"), Data: some(t, 1, 90)}
}

func drawSA(t *rapid.T) SA {
	sa := make(SA, rapid.IntRange(1, 5).Draw(t, "proposals"))
	for i := range sa {
		sa[i] = Proposal{Number: uint8(1 + i*3), Protocol: ProtocolIKE, Transforms: rapid.SliceOfN(rapid.Custom(drawTransform), 1, 9).Draw(t, "transforms")}
		switch rapid.IntRange(0, 2).Draw(t, "protocol") {
		case 0:
			sa[i].Protocol, sa[i].SPI = ProtocolESP, some(t, 4, 4)
		case 1:
			sa[i].SPI = some(t, 8, 8)
		}
	}
	return sa
}

func drawTransform(t *rapid.T) Transform {
	tr := Transform{Type: TransformType(rapid.Byte().Draw(t, "type")), ID: TransformID(rapid.Uint16().Draw(t, "ID")), KeyBits: rapid.Uint16().Draw(t, "bits")}
	for range rapid.IntRange(0, MaxAttributes-1).Draw(t, "attributes") {
		a := Attribute{Type: rapid.Uint16Range(keyLength+1, shortFormat-1).Draw(t, "type")}
		if a.Value = rapid.Uint16().Draw(t, "value"); rapid.Bool().Draw(t, "long") {
			a.Value, a.Long = 0, some(t, 0, 9)
		}
		tr.Unknown = append(tr.Unknown, a)
	}
	return tr
}

func drawSelector(t *rapid.T) Selector {
	size := rapid.SampledFrom([]int{4, 16}).Draw(t, "size")
	s := Selector{Kind: SelectIPv4, Protocol: rapid.Byte().Draw(t, "protocol"), From: drawAddr(t, size), To: drawAddr(t, size)}
	if size == 16 {
		s.Kind = SelectIPv6
	}
	if s.To.Less(s.From) {
		s.From, s.To = s.To, s.From
	}
	s.FromPort = rapid.Uint16().Draw(t, "from")
	s.ToPort = rapid.Uint16Min(s.FromPort).Draw(t, "to")
	return s
}

func drawAddr(t *rapid.T, size int) netip.Addr {
	a, _ := netip.AddrFromSlice(some(t, size, size))
	return a
}

func drawCP(t *rapid.T) CP {
	cp := CP{Kind: ConfigKind(rapid.Byte().Draw(t, "kind"))}
	for range rapid.IntRange(0, 9).Draw(t, "attributes") {
		cp.Attributes = append(cp.Attributes, Config{Kind: ConfigType(rapid.Uint16Max(reservedBit-1).Draw(t, "type")), Value: maybe(t, 20)})
	}
	return cp
}
