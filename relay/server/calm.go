package server

import (
	"sync"
	"time"
)

const (
	// stormSize is how many connections in a row make a storm, calmAfter the pause that ends it.
	stormSize = 256
	calmAfter = 5 * time.Second
)

// calm tells when a storm of connections is over. A handshake leaves some hundred kilobytes of garbage behind; a relay at rest allocates nothing that
// would make the collector run, and would keep it for minutes.
type calm struct {
	tell func() // nil: nobody wants to know

	mu      sync.Mutex
	came    int
	timer   *time.Timer
	telling sync.WaitGroup
	over    bool
}

// note counts a connection.
func (c *calm) note() {
	if c.tell == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.came++; c.came < stormSize || c.over {
		return
	}
	if c.timer == nil {
		c.timer = time.AfterFunc(calmAfter, c.ring)
	} else {
		c.timer.Reset(calmAfter)
	}
}

func (c *calm) ring() {
	c.mu.Lock()
	c.came = 0
	if c.over {
		c.mu.Unlock()
		return
	}
	c.telling.Add(1)
	c.mu.Unlock()
	defer c.telling.Done()
	c.tell()
}

// stop tells nothing more, and returns when nothing is being told.
func (c *calm) stop() {
	c.mu.Lock()
	c.over = true
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	c.telling.Wait()
}
