package main

import (
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/lab/caller"
	"github.com/cvlan/cvlan/internal/lab/figure"
	"github.com/cvlan/cvlan/internal/sys/quicx"
)

// atOnce is how many register at a time.
const atOnce = 16

// idle makes n clients and returns by how many KiB the relay's memory has grown when they have settled.
func idle(c *child, n int, settle time.Duration, make func(node int) error) (float64, error) {
	before, err := c.read()
	if err != nil {
		return 0, err
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var wrong error
	next := 0
	for range atOnce {
		all.Go(func() {
			for {
				mu.Lock()
				next++
				node, over := next, next > n || wrong != nil
				mu.Unlock()
				if over {
					return
				}
				if err := make(node); err != nil {
					mu.Lock()
					wrong = fmt.Errorf("client %d: %w", node, err)
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	if wrong != nil {
		return 0, wrong
	}
	during, err := c.read()
	if err != nil {
		return 0, err
	}
	time.Sleep(settle)
	after, err := c.read()
	if err != nil {
		return 0, err
	}
	if after.Clients != n {
		return 0, fmt.Errorf("%d clients of %d are left", after.Clients, n)
	}
	fmt.Printf("%d clients, %.2f ms of CPU a registration; KiB of memory (of the program; heap, empty heap, stacks):\n", n, (during.CPU-before.CPU)*1e3/float64(n))
	for when, r := range []reading{before, during, after} {
		fmt.Printf("  %-24s %d (%d; %d, %d, %d)\n", [...]string{"before", "when the last had come", "after " + settle.String()}[when], r.RSS, r.File, r.Heap>>10, r.Idle>>10, r.Stacks>>10)
	}
	return float64(after.RSS-before.RSS) / float64(n), nil
}

func idleUDP(c *child, o options) error {
	kib, err := idle(c, o.clients, o.settle, func(node int) error {
		_, u, err := callUDP(c, node)
		if err == nil {
			u.Close()
		}
		return err
	})
	if err == nil {
		figure.Print(os.Stdout, "relay_udp_bytes_per_client", kib*1024, "bytes", "")
	}
	return err
}

func idleTLS(c *child, o options) error {
	var mu sync.Mutex
	var conns []net.Conn
	kib, err := idle(c, o.kept, o.settle, func(node int) error {
		cert, err := certificate(node)
		if err != nil {
			return err
		}
		conn, w, err := caller.DialTLS(c.addr, cert)
		if err != nil {
			return err
		}
		mu.Lock()
		conns = append(conns, conn)
		mu.Unlock()
		return caller.OverStream(w, conn).Bind()
	})
	for _, conn := range conns {
		conn.Close()
	}
	if err == nil {
		figure.Print(os.Stdout, "relay_tls_kb_per_client", kib, "KiB", "")
	}
	return err
}

func idleQUIC(c *child, o options) error {
	var mu sync.Mutex
	var ports []*quicx.Port
	kib, err := idle(c, o.kept, o.settle, func(node int) error {
		p, err := openQUIC() // its own: clients that share a socket are woken together
		if err != nil {
			return err
		}
		mu.Lock()
		ports = append(ports, p)
		mu.Unlock()
		_, _, err = callQUIC(c, p, node)
		return err
	})
	for _, p := range ports {
		p.Close()
	}
	if err == nil {
		figure.Print(os.Stdout, "relay_quic_kb_per_client", kib, "KiB", "")
	}
	return err
}
