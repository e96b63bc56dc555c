package ike_test

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/sock"
)

// calls is a first message of a stranger, with the non-ESP marker.
func calls(t *testing.T, n int) []byte {
	t.Helper()
	profile, err := crypt.NewProfile(crypt.Modern)
	if err != nil {
		t.Fatal(err)
	}
	nonce := binary.BigEndian.AppendUint64(make([]byte, 24), uint64(n))
	point := append(make([]byte, 31), 9)
	raw, err := msg.Message{
		Header:   msg.Header{SPIi: msg.SPI(n + 1), Exchange: msg.IKESAInit, Flags: msg.FromInitiator},
		Payloads: []msg.Payload{msg.SA(numbered(profile.Plain())), msg.KE{Method: msg.KECurve25519, Data: point}, msg.Nonce(nonce)},
	}.Append(make([]byte, 4))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func numbered(all []msg.Proposal) (out []msg.Proposal) {
	for i, p := range all {
		p.Number = byte(i + 1)
		out = append(out, p)
	}
	return out
}

// A flood of first messages from few addresses is met at the door: workers turn most of it away, and the owner has time for others.
func TestFloodIsMetByTheWorkers(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		s, err := w.Open(sock.Config{}, netip.MustParseAddr("192.0.2.99"))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		to := netip.AddrPortFrom(w.b.Home, w.b.Port())
		n := 0
		for range 20 {
			for range 200 {
				d := calls(t, n)
				n++
				if err := s.Send([]sock.Train{{Data: d, Segment: len(d), Remote: to}}); err != nil {
					t.Fatal(err)
				}
			}
			w.Pass(50 * time.Millisecond)
		}
		drops := w.b.State().Drops
		if drops[tunnel.Challenged.String()] == 0 || int(drops[tunnel.Crowded.String()]) < n/2 {
			t.Errorf("of %d: %v", n, drops)
		}
		w.a.Says(w.b.End, 0, 5)
		w.Pass(3 * time.Second)
		w.b.WantHeard(0, 5)
	})
}
