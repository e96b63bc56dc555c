package tun

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/cvlan/cvlan/internal/core/offload"
)

// flight makes a sound TCP train of payload bytes in segments of 1000.
func flight(version byte, payload int) offload.Super {
	p := tcpTrain(version, payload)
	start := len(p) - payload - 32
	return offload.Super{
		Layout: offload.Layout{Protocol: offload.TCP, Segment: 1000, Headers: start + 32, Partial: true, Start: start, Offset: 16},
		Packet: p,
	}
}

// summed reports whether a packet without IP options has the transport checksum that belongs to it.
func summed(p []byte, protocol offload.Protocol) bool {
	start := header4
	if p[0]>>4 == 6 {
		start = header6
	}
	return fold(uint32(pseudo(p, protocol, start))+sum(p[start:])) == 0xffff
}

func TestTwinGathersWhatIsThere(t *testing.T) {
	w := NewTwin(Config{})
	q, desk := w.Queues()[0], newDesk()
	first := datagram(9, []byte("first"))
	w.Send(first)
	first[28] = 'F' // the caller's again
	w.SendTrain(flight(4, 2500))
	w.Send([]byte("no packet at all"))
	w.Send(datagram(9, []byte("last")))
	n, err := q.Read(desk.buf, desk.supers)
	if err != nil || n != 3 || w.Stats().Skipped != 1 {
		t.Fatalf("%d supers, %v, %+v", n, err, w.Stats())
	}
	one, train, last := desk.supers[0], desk.supers[1], desk.supers[2]
	if string(one.Packet[28:]) != "first" || train.Layout != flight(4, 2500).Layout || len(train.Packet) != 2552 || string(last.Packet[28:]) != "last" {
		t.Errorf("read %+v", desk.supers[:n])
	}
	if at := cap(desk.buf) - cap(train.Packet); at < Headroom+len(one.Packet)+Between {
		t.Errorf("the second packet begins at %d", at)
	}
}

func TestTwinReadsNoMoreThanFits(t *testing.T) {
	w := NewTwin(Config{})
	q, desk := w.Queues()[0], newDesk()
	for range 3 {
		w.Send(datagram(9, nil))
	}
	if n, err := q.Read(desk.buf[:MinBuffer], desk.supers); n != 1 || err != nil {
		t.Errorf("%d packets, %v", n, err)
	}
	if n, err := q.Read(desk.buf, desk.supers[:1]); n != 1 || err != nil {
		t.Errorf("%d packets, %v", n, err)
	}
	if _, err := q.Read(desk.buf[:MinBuffer-1], desk.supers); !errors.Is(err, ErrRoom) {
		t.Error(err)
	}
}

func TestTrainArrivesAsThePacketsThatItStandsFor(t *testing.T) {
	for _, version := range []byte{4, 6} {
		w := NewTwin(Config{})
		tap := w.Tap()
		s := flight(version, 2500)
		s.Packet[s.Start+13] = flagFIN | flagPSH | flagCWR | 0x10
		if err := w.Queues()[0].Write([]offload.Run{{Layout: s.Layout, Parts: [][]byte{s.Packet[:1100], s.Packet[1100:]}}}); err != nil {
			t.Fatal(err)
		}
		if got := <-tap; got.Layout != s.Layout || !bytes.Equal(got.Packet, s.Packet) {
			t.Errorf("tapped %+v", got.Layout)
		}
		var payload []byte
		for i, flags := range []byte{flagCWR | 0x10, 0x10, flagFIN | flagPSH | 0x10} {
			p, err := w.Receive()
			if err != nil || !isIP(p) || !summed(p, offload.TCP) || p[s.Start+13] != flags || p[s.Start+6] != byte(i*1000>>8) || p[s.Start+7] != byte(i*1000) {
				t.Fatalf("version %d, packet %d: % x, %v", version, i, p[:s.Headers], err)
			}
			if version == 4 && (fold(sum(p[:header4])) != 0xffff || p[5] != byte(i)) {
				t.Errorf("packet %d: IP header % x", i, p[:header4])
			}
			payload = append(payload, p[s.Headers:]...)
		}
		if !bytes.Equal(payload, s.Packet[s.Headers:]) || len(w.Arrived()) != 0 {
			t.Errorf("%d bytes arrived, %d packets too many", len(payload), len(w.Arrived()))
		}
	}
}

func TestUnsummedPacketArrivesSummed(t *testing.T) {
	w := NewTwin(Config{})
	w.Queues()[0].Write([]offload.Run{{Layout: unsummed, Parts: [][]byte{datagram(9, []byte("odd"))}}})
	if p := <-w.Arrived(); !summed(p, offload.UDP) {
		t.Errorf("% x", p)
	}
}

func TestTwinRefusesWhatAKernelRefuses(t *testing.T) {
	w := NewTwin(Config{NoUSO: true})
	udp := offload.Layout{Protocol: offload.UDP, Segment: 10, Headers: 28, Partial: true, Start: 20, Offset: 6}
	bad := []offload.Run{
		{},
		{Parts: [][]byte{[]byte("no packet")}},
		{Layout: offload.Layout{Partial: true, Start: 20, Offset: 60}, Parts: [][]byte{datagram(9, nil)}},
		{Layout: udp, Parts: [][]byte{datagram(9, make([]byte, 25))}}, // would be good with USO
		{Parts: [][]byte{datagram(9, make([]byte, 40000)), make([]byte, 40000)}},
	}
	if err := w.Queues()[0].Write(append(bad, offload.Run{Parts: [][]byte{datagram(9, []byte("good"))}})); err != nil {
		t.Fatal(err)
	}
	if p, err := w.Receive(); err != nil || string(p[28:]) != "good" || w.Stats().Refused != uint64(len(bad)) {
		t.Fatalf("received %q, %v; %+v", p, err, w.Stats())
	}
}

func TestFlowsKeepTheirQueueInTheTwin(t *testing.T) {
	w := NewTwin(Config{Queues: 4})
	for port := range 64 {
		p := datagram(port, nil)
		w.Send(p)
		w.Send(append(slices.Clone(p), "more of it"...))
	}
	used := 0
	for i, q := range w.Queues() {
		if len(w.queues[i].out) == 0 {
			continue
		}
		used++
		desk := newDesk()
		n, err := q.Read(desk.buf, desk.supers)
		if err != nil {
			t.Fatal(err)
		}
		for k := 0; k+1 < n; k += 2 {
			if a, b := desk.supers[k].Packet, desk.supers[k+1].Packet; !bytes.Equal(a[20:24], b[20:24]) {
				t.Fatalf("queue %d: packets of a flow apart", i)
			}
		}
	}
	if used < 2 {
		t.Errorf("%d of 4 queues used", used)
	}
}

func TestFullTwinDropsAndCounts(t *testing.T) {
	w := NewTwin(Config{})
	for i := range twinQueue + 3 {
		if took := w.Send(datagram(9, nil)); took != (i < twinQueue) {
			t.Fatalf("packet %d: taken %v", i, took)
		}
	}
	runs := slices.Repeat([]offload.Run{{Parts: [][]byte{datagram(9, nil)}}}, twinArrived+4)
	if err := w.Queues()[0].Write(runs); err != nil || w.Dropped() != 7 {
		t.Fatalf("dropped %d, %v", w.Dropped(), err)
	}
}

func TestEndOfATwinReachesEverybodyWhoWaits(t *testing.T) {
	removed := errors.New("removed")
	for want, end := range map[error]func(*Twin){
		os.ErrClosed: func(w *Twin) { w.Close(); w.Fail(removed) },
		removed:      func(w *Twin) { w.Fail(removed); w.Close() },
	} {
		synctest.Test(t, func(t *testing.T) {
			w := NewTwin(Config{Queues: 2})
			ends := make(chan error, 3)
			for _, q := range w.Queues() {
				go func() {
					desk := newDesk()
					_, err := q.Read(desk.buf, desk.supers)
					ends <- err
				}()
			}
			go func() { _, err := w.Receive(); ends <- err }()
			synctest.Wait()
			end(w)
			errs := []error{<-ends, <-ends, <-ends, w.Queues()[0].Write(nil)}
			for _, err := range errs {
				if err != want {
					t.Errorf("%v instead of %v", err, want)
				}
			}
			if w.Send(datagram(9, nil)) || w.Dropped() != 1 {
				t.Error("a device that has ended took a packet")
			}
		})
	}
}
