//go:build interop && linux

package interop

import (
	"crypto/rand"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/wg"
)

// How hard a crowd presses. The kernel thinks itself under load with 512 handshake messages in its queue, wireguard-go with 128 of 1024,
// and both for another second; ours when more than 2,000 come in a second.
const (
	burst = 900
	pause = 250 * time.Millisecond
)

// crowd is a computer that sends well-formed initiations which lead to nothing.
type crowd struct {
	conn    net.PacketConn
	cookies atomic.Int64 // cookie replies that came back
	quit    chan struct{}
	done    sync.WaitGroup
}

// crowdAt makes strangers press a side, until the story ends.
func (w *world) crowdAt(s *side) *crowd {
	w.t.Helper()
	c := &crowd{quit: make(chan struct{})}
	messages, err := strangers(s.key.Public(), burst)
	w.must(err)
	w.must(w.lab.Public("crowd").Do(func() (err error) { c.conn, err = net.ListenPacket("udp4", ":0"); return err }))
	to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.outer, port))
	c.done.Go(func() { c.press(messages, to) })
	c.done.Go(c.listen)
	w.t.Cleanup(func() { close(c.quit); c.conn.Close(); c.done.Wait() })
	return c
}

// strangers makes initiations to a side from somebody whom it does not know.
func strangers(to key.WGPublic, n int) (all [][]byte, err error) {
	m, err := wg.New(wg.Config{Private: key.NewWGPrivate(), Epoch: time.Now()}, rand.Reader)
	if err != nil {
		return nil, err
	}
	var out wg.Out
	now := mono.Time(time.Second)
	if err := m.Put(now, wg.Peer{Public: to}, &out); err != nil {
		return nil, err
	}
	for len(all) < n {
		now = now.Add(2 * wg.RekeyTimeout)
		m.Renew(now, to, &out)
		m.Tick(now, &out)
		for _, t := range out.Transmits {
			all = append(all, append([]byte(nil), t.Data...))
		}
		out.Reset()
	}
	return all[:n], nil
}

func (c *crowd) press(messages [][]byte, to net.Addr) {
	batch := make([]ipv4.Message, len(messages))
	for i, m := range messages {
		batch[i] = ipv4.Message{Buffers: [][]byte{m}, Addr: to}
	}
	p := ipv4.NewPacketConn(c.conn)
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		for sent := 0; sent < len(batch); {
			n, err := p.WriteBatch(batch[sent:], 0)
			if err != nil {
				return // closed
			}
			sent += n
		}
		select {
		case <-tick.C:
		case <-c.quit:
			return
		}
	}
}

func (c *crowd) listen() {
	buf := make([]byte, 2048)
	for {
		n, _, err := c.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		if wg.KindOf(buf[:n]) == wg.KindCookie {
			c.cookies.Add(1)
		}
	}
}
