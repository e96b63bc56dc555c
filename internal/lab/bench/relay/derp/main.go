// Command derp is a load for Tailscale's relay (derper), as the relay's benchmark has one for ours: pairs of clients that send packets one way, or
// clients that do nothing. It is a module of its own, so that nothing of Tailscale's is among our program's dependencies.
//
// It prints "ready" when all clients are there. Then it reads lines: "go" and "stop" have the pairs send and stop, and each line is answered
// with the number of packets that have arrived since the beginning.
package main

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"tailscale.com/derp"
	"tailscale.com/types/key"
)

type options struct {
	addr   string
	pairs  int
	size   int
	rate   int
	window int64
	batch  int
	idle   int
}

func main() {
	var o options
	flag.StringVar(&o.addr, "addr", "", "host:port of the relay")
	flag.IntVar(&o.pairs, "pairs", 10, "pairs of clients")
	flag.IntVar(&o.size, "size", 1280, "bytes of a packet")
	flag.IntVar(&o.rate, "rate", 0, "packets a second of all pairs; 0: as fast as they arrive")
	flag.Int64Var(&o.window, "window", 32, "packets of a pair that are under way at most; the relay queues no more for a client")
	flag.IntVar(&o.batch, "batch", 1, "packets a write: a client of Tailscale's has one, more are cheaper for the relay")
	flag.IntVar(&o.idle, "idle", 0, "clients that do nothing, instead of pairs")
	flag.Parse()
	if err := run(o, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "derp:", err)
		os.Exit(1)
	}
}

func run(o options, in io.Reader, out io.Writer) error {
	l := &load{o: o}
	if err := l.meet(); err != nil {
		return err
	}
	fmt.Fprintln(out, "ready")
	for lines := bufio.NewScanner(in); lines.Scan(); {
		switch lines.Text() {
		case "go":
			l.start()
		case "stop":
			l.stop()
		}
		fmt.Fprintln(out, l.arrived.Load())
	}
	return nil
}

// load is what the clients do.
type load struct {
	o       options
	pairs   []*pair
	arrived atomic.Int64
	halt    atomic.Bool
	senders sync.WaitGroup
	kept    []*client // that do nothing
}

// meet makes all clients.
func (l *load) meet() error {
	for range l.o.idle {
		c, err := dial(l.o.addr)
		if err != nil {
			return err
		}
		l.kept = append(l.kept, c)
		go l.receive(c, new(atomic.Int64)) // it answers the relay's keep-alives
	}
	if l.o.idle > 0 {
		return nil
	}
	for range l.o.pairs {
		a, errA := dial(l.o.addr)
		b, errB := dial(l.o.addr)
		if err := errors.Join(errA, errB); err != nil {
			return err
		}
		p := &pair{from: a, to: b.key.Public()}
		l.pairs = append(l.pairs, p)
		go l.receive(a, new(atomic.Int64))
		go l.receive(b, &p.got)
	}
	return nil
}

// receive counts the packets that reach a client.
func (l *load) receive(c *client, got *atomic.Int64) {
	for {
		m, err := c.Recv()
		if err != nil {
			return
		}
		if _, ok := m.(derp.ReceivedPacket); ok {
			got.Add(1)
			l.arrived.Add(1)
		}
	}
}

func (l *load) start() {
	l.halt.Store(false)
	for _, p := range l.pairs {
		l.senders.Go(func() {
			if err := p.send(l.o, &l.halt); err != nil {
				fmt.Fprintln(os.Stderr, "derp: sender:", err)
			}
		})
	}
}

func (l *load) stop() {
	l.halt.Store(true)
	l.senders.Wait()
}

// pair is a client that sends to another.
type pair struct {
	from      *client
	to        key.NodePublic
	sent, got atomic.Int64
}

func (p *pair) send(o options, halt *atomic.Bool) error {
	packets := frames(p.to, o.size, o.batch)
	start, n := time.Now(), 0
	for !halt.Load() {
		p.wait(o.window, halt)
		if _, err := p.from.conn.Write(packets); err != nil {
			return err
		}
		p.sent.Add(int64(o.batch))
		n += o.batch
		if o.rate > 0 {
			if ahead := time.Duration(n*o.pairs)*time.Second/time.Duration(o.rate) - time.Since(start); ahead > 0 {
				time.Sleep(ahead)
			}
		}
	}
	return nil
}

// frames are so many packets for a client as derp.Client.Send writes them.
func frames(to key.NodePublic, size, many int) (all []byte) {
	for range many {
		all = append(all, byte(derp.FrameSendPacket))
		all = binary.BigEndian.AppendUint32(all, uint32(derp.KeyLen+size))
		all = append(to.AppendTo(all), make([]byte, size)...)
	}
	return all
}

// wait waits until there is room. What has been under way for long is lost.
func (p *pair) wait(window int64, halt *atomic.Bool) {
	for since := time.Now(); p.sent.Load()-p.got.Load() >= window && !halt.Load(); time.Sleep(20 * time.Microsecond) {
		if time.Since(since) > 200*time.Millisecond {
			p.got.Store(p.sent.Load())
		}
	}
}

// client is one that is known to the relay.
type client struct {
	*derp.Client
	conn net.Conn
	key  key.NodePrivate
}

// patience is for a client to be let in, a second of CPU a thousand of them.
const patience = 10 * time.Second

func dial(addr string) (*client, error) {
	conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}) // it is the one that was just started
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(patience))
	c, err := upgrade(conn)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("become a client of %s: %w", addr, err)
	}
	conn.SetDeadline(time.Time{})
	return c, nil
}

// upgrade makes a client of a connection.
func upgrade(conn net.Conn) (*client, error) {
	io.WriteString(conn, "GET /derp HTTP/1.1\r\nHost: relay\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n\r\n")
	both := bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn))
	answer, err := http.ReadResponse(both.Reader, nil)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return nil, errors.New(answer.Status)
	}
	k := key.NewNode()
	c, err := derp.NewClient(k, conn, both, func(string, ...any) {})
	if err != nil {
		return nil, err
	}
	_, err = c.Recv() // the relay says what it is
	return &client{c, conn, k}, err
}
