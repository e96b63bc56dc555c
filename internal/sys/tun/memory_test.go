package tun

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
)

func buffers(n int) ([][]byte, []int) {
	bufs := make([][]byte, n)
	for i := range bufs {
		bufs[i] = make([]byte, 100)
	}
	return bufs, make([]int, n)
}

func TestPairCarriesBatchesBothWays(t *testing.T) {
	a, b := Pair("a", "b", DefaultMTU)
	for from, to := range map[*Memory]*Memory{a: b, b: a} {
		if _, err := from.Write([][]byte{[]byte("..one"), []byte("..two"), []byte("..three")}, 2); err != nil {
			t.Fatal(err)
		}
		bufs, sizes := buffers(to.BatchSize())
		n, err := to.Read(bufs, sizes, 4)
		if err != nil || n != 3 || string(bufs[2][4:4+sizes[2]]) != "three" {
			t.Fatalf("read %d packets, the last %q: %v", n, bufs[2], err)
		}
	}
}

func TestHostSideSeesWhatTheTunnelWrites(t *testing.T) {
	m := NewMemory("cvlan0", DefaultMTU)
	m.Write([][]byte{[]byte("in")}, 0)
	if p, err := m.Receive(); err != nil || string(p) != "in" {
		t.Fatalf("received %q, %v", p, err)
	}
	packet := []byte("out")
	m.Send(packet)
	packet[0] = 'x' // the caller's again
	bufs, sizes := buffers(1)
	if n, err := m.Read(bufs, sizes, 0); err != nil || n != 1 || string(bufs[0][:sizes[0]]) != "out" {
		t.Fatalf("read %q, %v", bufs[0], err)
	}
}

func TestFullQueueDropsAndCounts(t *testing.T) {
	m := NewMemory("cvlan0", DefaultMTU)
	for i := range memoryQueue + 3 {
		if took := m.Send([]byte("x")); took != (i < memoryQueue) {
			t.Fatalf("packet %d: taken %v", i, took)
		}
	}
	if m.Dropped() != 3 {
		t.Fatalf("dropped %d", m.Dropped())
	}
}

func TestClosingEndsEverybodyWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory("cvlan0", DefaultMTU)
		ends := make(chan error)
		go func() {
			bufs, sizes := buffers(1)
			_, err := m.Read(bufs, sizes, 0)
			ends <- err
		}()
		go func() { _, err := m.Receive(); ends <- err }()
		go func() {
			for range m.Events() {
			}
			_, err := m.Write([][]byte{{1}}, 0)
			ends <- err
		}()
		synctest.Wait()
		m.Close()
		m.Close()
		for i := range 3 {
			if err := <-ends; !errors.Is(err, os.ErrClosed) {
				t.Error(fmt.Sprint("waiter ", i), err)
			}
		}
		if m.Send([]byte("x")) {
			t.Error("a closed device took a packet")
		}
	})
}
