package stun

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
)

var (
	asker  = netip.MustParseAddrPort("192.0.2.9:999")
	asker6 = netip.MustParseAddrPort("[2001:db8::9]:999")
	other  = netip.MustParseAddrPort("198.51.100.2:3479")
)

// bare is the shortest question there is.
func bare(kind uint16) []byte { return begin(nil, kind, TxID{1}).b }

func TestAnswerToAShortQuestionIsBare(t *testing.T) {
	s := Server{Other: other}
	for from, want := range map[netip.AddrPort]int{asker: 32, asker6: BareAnswer} {
		b, change, ok := s.Answer(nil, bare(TypeRequest), from)
		m, err := Parse(b)
		if !ok || change != 0 || err != nil || len(b) != want || m.Mapped != from || m.Other.IsValid() {
			t.Errorf("%d bytes, %+v, %v", len(b), m, err)
		}
	}
}

func TestAnswerToOurQuestionTellsAll(t *testing.T) {
	s := Server{Other: other}
	b, change, ok := s.Answer(nil, AppendRequest(nil, TxID{1}, ChangeIP|ChangePort), asker)
	m, err := Parse(b)
	if !ok || change != ChangeIP|ChangePort || err != nil || m.Mapped != asker || m.Other != other || len(b) > RequestSize {
		t.Fatalf("%d bytes, %+v, change %d, %v", len(b), m, change, err)
	}
	if at := len(b) - fingerprintSize; binary.BigEndian.Uint16(b[at:]) != attrFingerprint {
		t.Fatalf("no fingerprint: %x", b)
	}
}

func TestUnknownAttributesAreNamed(t *testing.T) {
	w := begin(nil, TypeRequest, TxID{1})
	for i := range 20 {
		w.attribute(uint16(0x0100+i), 0)
	}
	b, _, ok := Server{}.Answer(nil, w.b, asker)
	m, err := Parse(b)
	if !ok || err != nil || m.Type != TypeError || m.Code != 420 || len(b) > len(w.b) {
		t.Fatalf("%+v, %v", m, err)
	}
	b, _, _ = Server{}.Answer(nil, AppendRequest(nil, TxID{1}, ChangeIP), asker)
	if m, err := Parse(b); err != nil || m.Code != 420 {
		t.Fatalf("a change without another address: %+v, %v", m, err)
	}
}

func TestOnlyQuestionsOfPossibleSendersAreAnswered(t *testing.T) {
	answer, _, _ := Server{}.Answer(nil, bare(TypeRequest), asker)
	for name, b := range map[string][]byte{
		"an answer": answer, "an indication": bare(TypeIndication), "an error": bare(TypeError), "nothing": nil, "noise": make([]byte, 40),
	} {
		if b, _, ok := (Server{}).Answer(nil, b, asker); ok || len(b) != 0 {
			t.Errorf("%s was answered", name)
		}
	}
	for _, from := range []string{"0.0.0.0:1", "192.0.2.1:0", "224.0.0.1:1", "255.255.255.255:1", "[ff02::1]:1"} {
		if _, _, ok := (Server{}).Answer(nil, bare(TypeRequest), netip.MustParseAddrPort(from)); ok {
			t.Errorf("%s was answered", from)
		}
	}
}

func TestAnswerIsAppended(t *testing.T) {
	b, _, ok := Server{}.Answer([]byte("before"), bare(TypeRequest), asker)
	want, _, _ := Server{}.Answer(nil, bare(TypeRequest), asker)
	if !ok || !slices.Equal(b, append([]byte("before"), want...)) {
		t.Fatalf("%x", b)
	}
}
