package engine

import (
	"sync"
	"time"
)

// saveEvery is the least time between two writes of the map.
const saveEvery = 5 * time.Second

// saver writes what must survive, one write at a time, from a goroutine of its own. What waits is replaced by what is newer.
type saver struct {
	write func(cache []byte, heard time.Time) error
	done  func(error) // told after each write

	mu      sync.Mutex
	waiting *saving
	kick    chan struct{}
	ended   chan struct{}
}

type saving struct {
	cache []byte
	heard time.Time
}

func newSaver(write func([]byte, time.Time) error, done func(error)) *saver {
	return &saver{write: write, done: done, kick: make(chan struct{}, 1), ended: make(chan struct{})}
}

// put offers a state; it never blocks.
func (s *saver) put(cache []byte, heard time.Time) {
	s.mu.Lock()
	s.waiting = &saving{cache, heard}
	s.mu.Unlock()
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// stop writes what waits and ends run. It waits for the disk.
func (s *saver) stop() {
	close(s.kick)
	<-s.ended
}

// run writes until stop.
func (s *saver) run() {
	defer close(s.ended)
	for {
		_, more := <-s.kick
		s.mu.Lock()
		w := s.waiting
		s.waiting = nil
		s.mu.Unlock()
		if w != nil {
			s.done(s.write(w.cache, w.heard))
		}
		if !more {
			return
		}
	}
}
