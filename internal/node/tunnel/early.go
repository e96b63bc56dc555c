package tunnel

import (
	"bytes"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// A peer may seal with a session before the message has come that makes it ours: the two overtake each other, or it does not wait, as IPsec in
// kernels. Packets by an index that we have offered therefore wait for a moment, until the next datagram shows that the session is there.

const (
	earlyPackets = 32 // that a worker holds
	earlySize    = 2048
	earlyLife    = time.Second
)

// premature is a packet of a session that is about to be.
type premature struct {
	data  []byte
	at    place
	until mono.Time
}

// hold keeps a packet for a session that is not there; false: none is about to be, or there is no room.
func (w *inbound) hold(now mono.Time, datagram []byte, at *place) bool {
	if len(w.early) == earlyPackets || len(datagram) > earlySize || !w.offered(datagram) {
		return false
	}
	w.early = append(w.early, premature{bytes.Clone(datagram), *at, now.Add(earlyLife)})
	return true
}

// offered reports whether a packet comes by an index that we have offered.
func (w *inbound) offered(datagram []byte) bool {
	_, ok := w.t.offered.get(address{lo: uint64(ESP.index(datagram))})
	return ok
}

// resume takes the packets that wait and whose sessions are there by now.
func (w *inbound) resume(now mono.Time) {
	rest := w.early[:0]
	for i := range w.early {
		e := w.early[i]
		_, there := w.t.sessions[ESP].get(address{lo: uint64(ESP.index(e.data))})
		switch {
		case there:
			var b batchOf
			w.datagram(now, e.data, &e.at, &b)
			w.received(now, &b)
		case now < e.until && w.offered(e.data):
			rest = append(rest, e)
		default:
			w.t.drop(UnknownIndex, 1)
		}
	}
	clear(w.early[len(rest):])
	w.early = rest
}
