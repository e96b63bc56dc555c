package ike

import (
	"testing"
	"time"
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
