package server

import (
	"net"
	"sync"
)

// recordSize is how much one record of TLS holds (RFC 8446, section 5.1), in bytes.
const recordSize = 16 << 10

// cork is the socket under a TLS connection. It lets the records of one write leave in one call of the system, for TLS makes one for each.
type cork struct {
	net.Conn

	mu   sync.Mutex
	held *[boxSize]byte // records that wait; nil: each leaves at once
	n    int            // bytes of it that are used
}

// Write implements net.Conn.
func (c *cork) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held != nil && c.n+len(b) > len(c.held) {
		if err := c.flush(); err != nil {
			return 0, err
		}
	}
	if c.held == nil || len(b) > len(c.held) {
		return c.Conn.Write(b)
	}
	c.n += copy(c.held[c.n:], b)
	return len(b), nil
}

// together has what write writes of b leave together.
func (c *cork) together(write func([]byte) (int, error), b []byte) error {
	room := boxes.Get().(*[boxSize]byte)
	defer boxes.Put(room)
	c.mu.Lock()
	c.held = room
	c.mu.Unlock()
	_, err := write(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		err = c.flush()
	}
	c.held, c.n = nil, 0
	return err
}

// flush sends what waits.
func (c *cork) flush() error {
	if c.n == 0 {
		return nil
	}
	_, err := c.Conn.Write(c.held[:c.n])
	c.n = 0
	return err
}
