package tunnel_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/offload/offloadtest"
	"github.com/cvlan/cvlan/internal/sys/sock"
)

// Sealed, a train of the largest size needs two datagram trains, and its end travels with the beginning of the next. The host gets it whole.
func TestLargestTrainsArriveWhole(t *testing.T) {
	a, b := pair(t)
	a.reaches(t, b, 10*time.Second)
	b.reaches(t, a, 10*time.Second)
	const trains, packets, segment = 6, 47, 1340
	source, sink := &hose{left: trains}, &hose{}
	for range trains {
		source.all = append(source.all, offloadtest.TCP(a.addr, b.addr, make([]byte, packets*segment), segment))
	}
	wire := &pipe{from: a.at, to: b.at, held: make([]sock.Train, 4*trains)}
	if err := a.Outbound(source, wire)(); err != io.EOF {
		t.Fatal(err)
	}
	if wire.n <= trains {
		t.Fatalf("%d datagram trains: the end of none travels apart", wire.n)
	}
	if err := b.Inbound(wire, sink)(); err != net.ErrClosed {
		t.Fatal(err)
	}
	if sink.runs != trains || sink.packets != trains*packets {
		t.Errorf("%d packets have arrived in %d trains: %v", sink.packets, sink.runs, b.State().Drops)
	}
}
