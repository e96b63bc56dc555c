package netmap

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// points are identity keys that are the same in every run, so that a corpus stays valid.
var points = []string{
	"036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
	"037cf27b188d034f7e8a52380304b51ac3c08969e277f21b35a60b48fc47669978",
	"025ecbe4d1a6330a44c8f7ef951d4bf165e6c6b721efada985fb41661bc6e7fd6c",
	"02e2534a3532d08fbba02dde659ee62bd0031fe2db785596ef509302446b030852",
	"0251590b7a515140d2d784c85608668fdfef8c82fd1f5be52421554a0dc3d033ed",
	"02b01a172a76a4602c92d3242cb897dde3024c740debb215b4c6b0aae93c2291a9",
	"028e533b6fa0bf7b4625bb30667c01fb607ef9f8b8a80fef5b300628703187b2a3",
	"0262d9779dbee9b0534042742d3ab54cadc1d238980fce97dbb4dd9dc1db6fb393",
}

// fixed makes a record of recordOf the same in every run.
func fixed(r *control.Record) {
	b, _ := hex.DecodeString(points[int(r.Node)%len(points)])
	r.Identity = key.IdentityPublic(b)
}

func fixedSnapshot() *pb.Map {
	m := snapshot(10, peer(1, fixed), peer(3, fixed))
	m.Self = selfOf(fixed)
	m.Soft = []*pb.Soft{{Node: 1, Online: true, Endpoints: [][]byte{{192, 0, 2, 1, 0, 80}}}}
	return m
}

// seeds are maps that reach the corners: pieces, rivals, removals, another boot, another epoch, changes of self and of the network.
func seeds() [][]*pb.Map {
	rival := peer(4, fixed, named("machine-1"))
	gone := deltaOf(11, 12)
	gone.Remove = []uint64{1}
	first, second := deltaOf(10, 11, peer(2, fixed)), deltaOf(10, 11, peer(3, fixed, named("renamed")))
	first.More = true
	restart := &pb.Map{From: at(10), To: &pb.Cursor{Epoch: 1, Hard: 11, Boot: 1}, Soft: []*pb.Soft{{Node: 3, LastSeen: 1700000000}}}
	restored := fixedSnapshot()
	restored.To = &pb.Cursor{Epoch: 2, Hard: 5, Boot: 1}
	narrow := &pb.Map{From: at(10), To: at(11), Network: net7(), Self: selfOf(fixed, named("machine-3"))}
	narrow.Network.Closed, narrow.Self.Pending = true, true
	devices := withPlain(deltaOf(10, 11, peer(4, fixed)), plain(2), plain(5), plain(6, func(p *control.Plain) { p.Address4 = recordOf(4).Address4 }), &pb.Plain{Id: 7}, &pb.Plain{})
	fewer := withPlain(deltaOf(11, 12), plain(6, revised))
	fewer.RemovePlain, fewer.Remove = []uint64{5}, []uint64{4}
	relayed := deltaOf(10, 11)
	relayed.Relays = relaysOf(relay(8), relay(3), relay(3), &pb.Relay{Id: 4})
	relayed.Soft = []*pb.Soft{{Node: 1, HomeRelay: 8, Endpoints: [][]byte{{192, 0, 2, 1, 0, 80}, {1}}, Kinds: []byte{1, 2}}}
	none := deltaOf(11, 12)
	none.Relays = relaysOf()
	rotated := deltaOf(10, 11)
	rotated.Authorities = control.Authorities{Signing: control.AuthorityOf(nil), Ended: []control.AuthorityID{{1}, {2}}, Spread: control.MaxRenewalSpread}.Message()
	rotated.Network = net7()
	rotated.Network.Protocol = uint32(control.IPsec)
	forged := peer(5, fixed)
	forged.Signature[0]++
	return [][]*pb.Map{{}, {devices, fewer}, {relayed, none}, {rotated}, {deltaOf(10, 11, rival), gone}, {first, second, gone}, {restart}, {restored}, {narrow}, {deltaOf(10, 11, forged, &pb.Peer{Record: (&pbRecord{6}).bytes()}, &pb.Peer{})}}
}

func joined(maps []*pb.Map) (b []byte) {
	for _, m := range maps {
		b = binary.AppendUvarint(b, uint64(proto.Size(m)))
		b, _ = proto.MarshalOptions{Deterministic: true}.MarshalAppend(b, m)
	}
	return b
}

func FuzzApply(f *testing.F) {
	for _, s := range seeds() {
		f.Add(joined(s))
	}
	torn := deltaOf(11, 12)
	torn.Authorities = &pb.Authorities{Signing: []byte{1}, Ended: [][]byte{nil}}
	f.Add(joined([]*pb.Map{torn}))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := newDesk(t, fixedSnapshot())
		d.bounds = bounds{peers: 50, bytes: 20_000, plains: 50}
		for len(b) > 0 {
			body, n := protowire.ConsumeBytes(b)
			m := new(pb.Map)
			if n < 0 || proto.Unmarshal(body, m) != nil {
				break
			}
			b = b[n:]
			before := d.Encode()
			err := d.Apply(m, &d.out)
			if check(t, d.Table); (err != nil || m.More) && (!bytes.Equal(before, d.Encode()) || len(d.out.Events) > 0) {
				t.Fatalf("half applied: %v", err)
			}
		}
		x, err := Decode(config, d.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if diff := same(d.Table, x); diff != "" {
			t.Fatal("not what was stored:", diff)
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, s := range seeds() {
		d := newDesk(f, append([]*pb.Map{fixedSnapshot()}, s...)...)
		f.Add(d.Encode()[len(magic)+32:])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		x, err := Decode(config, wrap(body))
		if err != nil {
			return
		}
		check(t, x)
		again, err := Decode(config, x.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(x.Encode(), again.Encode()) {
			t.Fatal("does not survive: ", same(x, again))
		}
		third, err := Decode(config, again.Encode()) // a first part that nobody of ours wrote may be left out for another reason the second time
		if err != nil {
			t.Fatal(err)
		}
		if diff := same(again, third); diff != "" {
			t.Fatal("does not survive twice: ", diff)
		}
	})
}

// wrap gives a body the head of a stored map, which no fuzzer would guess.
func wrap(body []byte) []byte {
	sum := sha256.Sum256(body)
	return append(append([]byte(magic), sum[:]...), body...)
}
