package tun

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/cvlan/cvlan/internal/core/offload"
)

// cable is a device that gives batches of what was put into it and keeps what is written.
type cable struct {
	batch   int
	in      [][]byte
	err     error // when in is empty
	written []string
	refuse  error
}

func (c *cable) BatchSize() int { return c.batch }
func (c *cable) Close() error   { return nil }

func (c *cable) Read(bufs [][]byte, sizes []int, offset int) (n int, err error) {
	for ; n < len(bufs) && len(c.in) > 0; n++ {
		sizes[n] = copy(bufs[n][offset:], c.in[0])
		c.in = c.in[1:]
	}
	if n == 0 {
		return 0, c.err
	}
	return n, nil
}

func (c *cable) Write(bufs [][]byte, offset int) (int, error) {
	if c.refuse != nil {
		return 0, c.refuse
	}
	for _, b := range bufs {
		c.written = append(c.written, string(b[offset:]))
	}
	return len(bufs), nil
}

func TestPlainDeviceReadsBatches(t *testing.T) {
	for _, batch := range []int{1, 3} {
		c := &cable{batch: batch, in: [][]byte{[]byte("junk"), datagram(9, []byte("one")), datagram(9, []byte("two")), datagram(9, []byte("three"))}}
		p := newPlain("utun3", DefaultMTU, c)
		desk := newDesk()
		var heard string
		for reads := 0; len(c.in) > 0; reads++ {
			n, err := p.Read(desk.buf, desk.supers)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range desk.supers[:n] {
				heard += string(s.Packet[28:]) + " "
				if at := cap(desk.buf) - cap(s.Packet); at < Headroom {
					t.Errorf("packet at %d", at)
				}
			}
		}
		if heard != "one two three " || p.Stats() != (Stats{Skipped: 1}) {
			t.Errorf("batches of %d: heard %q, %+v", batch, heard, p.Stats())
		}
	}
}

func TestPlainDeviceTakesPacketsInPiecesButNoTrains(t *testing.T) {
	c := &cable{batch: 1}
	p := newPlain("utun3", DefaultMTU, c)
	packet := datagram(9, []byte("in pieces"))
	s := flight(4, 2500)
	runs := []offload.Run{
		{Parts: [][]byte{packet[:5], packet[5:]}},
		{Layout: s.Layout, Parts: [][]byte{s.Packet}},
		{Layout: unsummed, Parts: [][]byte{packet}},
		{Parts: [][]byte{make([]byte, 40000), make([]byte, 40000)}},
		{Parts: [][]byte{packet}},
	}
	if err := p.Write(runs); err != nil {
		t.Fatal(err)
	}
	done := string(split(offload.Super{Layout: unsummed, Packet: packet})[0])
	if !slices.Equal(c.written, []string{string(packet), done, string(packet)}) || p.Stats() != (Stats{Refused: 2}) {
		t.Fatalf("wrote %q, %+v", c.written, p.Stats())
	}
	c.refuse = errors.New("interface is down")
	if err := p.Write(runs[:1]); err != nil || p.Stats().Refused != 3 {
		t.Errorf("down: %v, %+v", err, p.Stats())
	}
	if n := testing.AllocsPerRun(10, func() { c.written = c.written[:0]; p.Write(runs[:1]) }); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func TestPlainDeviceTellsCloseFromLoss(t *testing.T) {
	p := newPlain("utun3", DefaultMTU, &cable{batch: 1, err: os.ErrClosed, refuse: os.ErrClosed})
	desk := newDesk()
	runs := []offload.Run{{Parts: [][]byte{datagram(9, nil)}}}
	call := func() (read, write error) {
		_, read = p.Read(desk.buf, desk.supers)
		return read, p.Write(runs)
	}
	if read, write := call(); read == nil || errors.Is(read, os.ErrClosed) || write == nil || errors.Is(write, os.ErrClosed) {
		t.Errorf("taken away: %v, %v", read, write)
	}
	p.Close()
	if read, write := call(); !errors.Is(read, os.ErrClosed) || !errors.Is(write, os.ErrClosed) {
		t.Errorf("closed: %v, %v", read, write)
	}
}
