package control

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/netip"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control/pb"
)

func sample(t testing.TB) Record {
	id, err := key.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return Record{Node: 5, Identity: id.Public(), WG: key.NewWGPrivate().Public(), Address4: netip.MustParseAddr("10.9.8.7"), Speech: Speech{Speaks: WireGuard | IPsec, Prefers: IPsec},
		Address6: netip.MustParseAddr("fd00::7"), Name: "web-1", Tags: []string{"server"}, Revision: 3}
}

func TestFramesSurviveTheWire(t *testing.T) {
	want := []*pb.Frame{
		{Body: &pb.Frame_Ping{Ping: &pb.Ping{Nonce: 7}}}, {},
		{Body: &pb.Frame_Map{Map: &pb.Map{Upsert: []*pb.Peer{{Record: make([]byte, 300000)}}}}},
	}
	var b []byte
	for _, f := range want {
		var err error
		if b, err = AppendFrame(b, f); err != nil {
			t.Fatal(err)
		}
	}
	r := bufio.NewReader(bytes.NewReader(b))
	for _, f := range want {
		got, err := ReadFrame(r, 0)
		if err != nil || !proto.Equal(got, f) {
			t.Fatalf("got %v, %v", got, err)
		}
	}
	if _, err := ReadFrame(r, 0); err != io.EOF {
		t.Fatalf("at the end: %v, want io.EOF", err)
	}
	for cut := 1; cut < 10; cut++ {
		if _, err := ReadFrame(bufio.NewReader(bytes.NewReader(b[:cut])), 0); cut != 10 && err != io.ErrUnexpectedEOF {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
}

func TestLongFramesAreRefusedBeforeTheyAreHeld(t *testing.T) {
	if _, err := AppendFrame(nil, &pb.Frame{Body: &pb.Frame_Signed{Signed: &pb.Signed{Record: make([]byte, MaxFrame)}}}); !errors.Is(err, ErrTooLong) {
		t.Fatal(err)
	}
	for _, head := range [][]byte{{0x80, 0x80, 0x41}, {0xff, 0xff, 0xff, 0xff, 1}} {
		if _, err := ReadFrame(bufio.NewReader(bytes.NewReader(head)), 0); !errors.Is(err, ErrTooLong) {
			t.Fatal(err)
		}
	}
	if _, err := ReadFrame(bufio.NewReader(bytes.NewReader(make([]byte, 100))), 0); err != nil {
		t.Fatal("an empty frame is a frame:", err)
	}
	if _, err := ReadFrame(bufio.NewReader(bytes.NewReader([]byte{50})), 49); !errors.Is(err, ErrTooLong) {
		t.Fatal("a stranger's limit was not kept:", err)
	}
}

func TestRecordsSurviveAndRefuseWhatNobodyWrites(t *testing.T) {
	r := sample(t)
	got, err := ParseRecord(r.Encode())
	if err != nil || !reflect.DeepEqual(got, r) {
		t.Fatalf("%+v, %v", got, err)
	}
	if n := len(r.Encode()); n > 160 {
		t.Fatalf("a record takes %d bytes; a join must cost the others 350 at most, signature and soft state included", n)
	}
	for what, spoil := range map[string]func(*Record){
		"no id": func(r *Record) { r.Node = 0 }, "no key": func(r *Record) { r.WG = key.WGPublic{} },
		"no identity": func(r *Record) { r.Identity = key.IdentityPublic{} }, "name": func(r *Record) { r.Name = "a\x1bb" },
		"no address": func(r *Record) { r.Address4, r.Address6 = netip.Addr{}, netip.Addr{} },
		"multicast":  func(r *Record) { r.Address4 = netip.MustParseAddr("224.0.0.1") },
		"tags":       func(r *Record) { r.Tags = make([]string, MaxTags+1) }, "tag": func(r *Record) { r.Tags = []string{"A b"} },
	} {
		bad := sample(t)
		spoil(&bad)
		if _, err := ParseRecord(bad.Encode()); err == nil {
			t.Errorf("%s: passed", what)
		}
	}
}

func TestASignatureHoldsInOneNetworkOnly(t *testing.T) {
	id, _ := key.NewIdentity()
	rec := sample(t).Encode()
	sig, _ := id.Sign(Transcript(1, 2, rec))
	if !id.Public().Verify(Transcript(1, 2, rec), sig) || id.Public().Verify(Transcript(1, 3, rec), sig) || id.Public().Verify(Transcript(2, 2, rec), sig) {
		t.Fatal("the transcript does not bind tenant and network")
	}
}

func TestEndpointsAndRangesSurvive(t *testing.T) {
	for _, s := range []string{"192.0.2.1:41641", "[2001:db8::1]:1"} {
		e := netip.MustParseAddrPort(s)
		if got, ok := ParseEndpoint(AppendEndpoint(nil, e)); !ok || got != e {
			t.Error(s, got, ok)
		}
	}
	for _, s := range []string{"10.1.0.0/16", "fd00:1::/48"} {
		p := netip.MustParsePrefix(s)
		if got, ok := ParseRange(AppendRange(nil, p)); !ok || got != p {
			t.Error(s, got, ok)
		}
	}
	for _, b := range [][]byte{{1, 2, 3, 4, 0, 0}, {0, 0, 0, 0, 0, 1}, {1}, make([]byte, 7)} {
		if e, ok := ParseEndpoint(b); ok {
			t.Errorf("%v passed as %v", b, e)
		}
	}
}

func FuzzReadFrame(f *testing.F) {
	b, _ := AppendFrame(nil, &pb.Frame{Body: &pb.Frame_Hello{Hello: &pb.Hello{VersionMax: 1, Cursor: &pb.Cursor{Epoch: 1}}}})
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		fr, err := ReadFrame(bufio.NewReader(bytes.NewReader(b)), 0)
		if err != nil {
			return
		}
		if _, err := AppendFrame(nil, fr); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzParseRecord(f *testing.F) {
	f.Add(sample(f).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRecord(b)
		if err != nil {
			return
		}
		again, err := ParseRecord(r.Encode())
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Fatalf("%+v does not survive: %+v, %v", r, again, err)
		}
	})
}
