package tunnel

import (
	"net/netip"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

// Suspend has the owner stand still, as a machine that sleeps does, until wake is called with the clock that time is told by from then on.
// Nothing may be sent or come in meanwhile.
func (t *Tunnel) Suspend() (wake func(mono.Clock)) {
	asleep, clock := make(chan struct{}), make(chan mono.Clock)
	go t.owner.do(func() {
		close(asleep)
		t.clock = <-clock
	})
	<-asleep
	return func(c mono.Clock) { clock <- c }
}

// Outbound has a worker of its own carry what queue has to read, until that ends.
func (t *Tunnel) Outbound(q tun.Queue, s sock.Socket) func() error {
	return newOutbound(t, &exit{Queue: q}, newBatch(s)).run
}

// Inbound is the same in the other direction.
func (t *Tunnel) Inbound(s sock.Socket, q tun.Queue) func() error {
	return newInbound(t, s, &exit{Queue: q}, inboundTrains, inboundBuffer, inboundPackets).run
}

// Handle has the owner answer control messages that came from one place, one after another, on its own goroutine.
func (t *Tunnel) Handle(c Class, from netip.AddrPort, all [][]byte) {
	messages := make([]*message, len(all))
	for i, b := range all {
		messages[i] = &message{class: c, from: t.placeOf(from, netip.Addr{}, nil)}
		messages[i].n = copy(messages[i].data[:], b)
	}
	_ = t.owner.do(func() {
		for _, m := range messages {
			t.owner.control(m)
		}
	})
}
