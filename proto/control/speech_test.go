package control

import (
	"bytes"
	"net/netip"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control/pb"
)

func sampleRecord(t *testing.T) Record {
	t.Helper()
	id, err := key.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return Record{Node: 9, Identity: id.Public(), WG: key.NewWGPrivate().Public(), Address4: netip.MustParseAddr("10.1.2.3"), Name: "web", Tags: []string{"a"}, Revision: 4}
}

func TestARecordWithoutAWordIsOfANodeThatSpeaksWireGuard(t *testing.T) {
	r := sampleRecord(t)
	b := r.Encode()
	got, err := ParseRecord(b)
	if err != nil || got.Speech != (Speech{Speaks: WireGuard}) {
		t.Fatal(got.Speech, err)
	}
	if !bytes.Equal(got.Encode(), b) {
		t.Error("the same record is other bytes")
	}
	if again, err := Amend(b, Speech{Speaks: WireGuard}); err != nil || !bytes.Equal(again, b) {
		t.Error("to say what is understood anyway changes the bytes", err)
	}
}

func TestANodeAmendsNothingButItsSpeech(t *testing.T) {
	r := sampleRecord(t)
	b := r.Encode()
	want := Speech{Speaks: WireGuard | IPsec, Prefers: IPsec}
	amended, err := Amend(b, want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseRecord(amended)
	if err != nil || got.Speech != want || SpeechIn(amended) != want {
		t.Fatal(got.Speech, err)
	}
	if !Restates(amended, b) || !Restates(b, amended) {
		t.Error("the two differ otherwise")
	}
	r.Revision++
	if Restates(amended, r.Encode()) {
		t.Error("another revision passes")
	}
	if back, err := Amend(amended, Speech{Speaks: WireGuard}); err != nil || !bytes.Equal(back, b) {
		t.Error("the way back is not", err)
	}
}

// What a newer controller puts into a record stays there, and may not be left out.
func TestWhatIsNotKnownInARecordStays(t *testing.T) {
	r := sampleRecord(t)
	m := new(pb.Record)
	if err := proto.Unmarshal(r.Encode(), m); err != nil {
		t.Fatal(err)
	}
	m.ProtoReflect().SetUnknown([]byte{0xf8, 0x07, 1}) // field 127
	newer, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	amended, err := Amend(newer, Speech{Speaks: WireGuard | IPsec})
	if err != nil || !bytes.Contains(amended, []byte{0xf8, 0x07, 1}) || !Restates(amended, newer) {
		t.Error("lost", err)
	}
	if Restates(amended, r.Encode()) {
		t.Error("a record without it passes for the same")
	}
}

func TestNonsenseIsNoSpeech(t *testing.T) {
	if SpeechIn([]byte{0xff}) != (Speech{}) || Restates([]byte{0xff}, []byte{0xfe}) {
		t.Error("nonsense speaks")
	}
	if _, err := Amend(make([]byte, MaxRecord+1), Speech{}); err == nil {
		t.Error("too long")
	}
	b, _ := Amend(sampleRecord(t).Encode(), Speech{Speaks: 1 << 7, Prefers: 7})
	if s := SpeechIn(b); s.Speaks != 1<<7 || s.Prefers != 0 {
		t.Errorf("%+v", s)
	}
	for _, name := range []string{"wireguard", "ipsec"} {
		if p, err := ParseTunnel(name); err != nil || p.String() != name {
			t.Error(name, p, err)
		}
	}
	if _, err := ParseTunnel("any"); err == nil {
		t.Error("any is no protocol")
	}
}
