package ike

import (
	"bytes"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

func TestTwoSidesMeetBySharedSecret(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.side[0].initiate()
	w.run(time.Second)
	if w.sent != 7 {
		t.Errorf("%d messages, want three round trips, of which one request is in two fragments\n%s", w.sent, w.story())
	}
	w.agree(1)
	if e := w.side[1].last(EventUp); string(e.Identity.Data) != "a.example" || e.Peer != "a" || e.NAT != (NAT{}) {
		t.Errorf("b met %+v", e)
	}
	t.Log(w.side[0].last(EventUp).Cipher)
}

// An answer that names another key exchange may come twice: the copy, which comes when what it wants is under way, changes nothing.
func TestACopyOfAnAnswerToAWrongGuessChangesNothing(t *testing.T) {
	w := newWorld(t, 1, func(n int, c *Config, _ *Peer) {
		groups([][]msg.TransformID{{msg.KECurve25519, msg.KEP384, msg.KEP256}, {msg.KEP256}}[n]...)(c)
	})
	a := w.side[0]
	w.watch = func(from int, data []byte) bool {
		if m, err := msg.Parse(data); err == nil && from == 1 {
			if _, no := msg.Notified(m.Payloads, msg.InvalidKE); no {
				w.flight = append(w.flight, flying{w.now.Add(15 * time.Millisecond), 0, a.path(), bytes.Clone(data)})
			}
		}
		return true
	}
	a.initiate()
	w.run(time.Second)
	if a.count(EventUp) != 1 || a.count(EventDown) != 0 {
		t.Error(w.story())
	}
}
