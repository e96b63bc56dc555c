package ike

import (
	"bytes"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// FuzzDatagram hands a machine with a session, a half-open SA and a call of its own whatever the fuzzer makes up, as it is and, since a
// peer with keys may mean ill too, sealed. Nothing but the recover keeps a bug from the process, and the test fails if it had to.
func FuzzDatagram(f *testing.F) {
	var seen [][]byte
	w := newWorld(f, 1, nil)
	w.watch = func(_ int, data []byte) bool {
		seen = append(seen, bytes.Clone(data))
		return true
	}
	w.side[0].initiate()
	w.run(time.Second)
	w.side[0].rekeyChild()
	w.run(time.Second)
	w.side[1].rekey()
	w.run(time.Second)
	for i, data := range seen {
		f.Add(data, byte(i), byte(msg.TypeSA))
	}
	for _, ps := range [][]msg.Payload{
		{msg.Delete{Protocol: msg.ProtocolESP, SPIs: []uint32{0x30000001, 0}}}, {msg.Delete{Protocol: msg.ProtocolIKE}},
		{esp(4096), msg.Nonce(make([]byte, 32)), msg.TSi(everything()), msg.TSr(everything())},
		{msg.Notify{Kind: msg.UpdateSAAddresses}, msg.Notify{Kind: msg.Cookie2, Data: make([]byte, 8)}},
		{msg.IDi(fqdn("a.example")), msg.Auth{Method: msg.AuthSharedKey, Data: make([]byte, 32)}},
	} {
		first, plain, err := msg.AppendChain(nil, ps)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(plain, byte(msg.CreateChildSA), byte(first))
		f.Add(plain, byte(msg.Informational), byte(first))
	}
	f.Fuzz(func(t *testing.T, data []byte, exchange, first byte) {
		w := newWorld(t, 1, func(_ int, c *Config, _ *Peer) { c.Profile.IKE = c.Profile.Plain() }) // ML-KEM costs time, and is not the point
		a, b := w.side[0], w.side[1]
		a.initiate()
		w.run(time.Second)
		w.lawless = true
		s := a.m.sessions[a.id()].sa
		b.m.Datagram(w.now, b.path(), bystander(t, 77), &b.out)
		b.out.Reset()
		b.m.Datagram(w.now, b.path(), data, &b.out)
		b.flush()
		for range 2 {
			raw, err := s.sealer.Seal(s.header(msg.Exchange(exchange), s.next, 0), msg.PayloadType(first), data)
			if err != nil {
				return
			}
			b.m.Datagram(w.now, b.path(), raw, &b.out)
			b.flush()
			s.next++
		}
		if len(b.m.sas) > 8 || len(b.m.sessions) > 1 {
			t.Errorf("%d IKE SAs", len(b.m.sas))
		}
	})
}
