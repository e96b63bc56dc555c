package hostdns

import (
	"slices"
	"sync"
)

// Memory is the in-memory twin of a Host: it remembers what is wanted, and others may spoil it.
type Memory struct {
	mu    sync.Mutex
	state State
	now   Want
	sets  int
	fault error
}

var _ Host = (*Memory)(nil)

// NewMemory returns a host whose names are managed as state says.
func NewMemory(state State) *Memory { return &Memory{state: state} }

// Look implements Host.
func (m *Memory) Look(w Want) (State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.state
	s.InPlace = m.now.equal(w)
	return s, m.fault
}

// Set implements Host.
func (m *Memory) Set(w Want) (State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fault != nil && len(w.Links) > 0 {
		return m.state, m.fault
	}
	m.now = w
	m.sets++
	s := m.state
	s.InPlace = true
	return s, nil
}

// Cleanup implements Host.
func (m *Memory) Cleanup() error { return nil }

// Now returns what was set last, and how often something was.
func (m *Memory) Now() (Want, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now, m.sets
}

// Spoil has somebody else take out what was set.
func (m *Memory) Spoil() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = Want{}
}

// Fail has Look and Set answer with an error from now on; nil: no longer.
func (m *Memory) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = err
}

func (w Want) equal(o Want) bool {
	return w.Server == o.Server && slices.EqualFunc(w.Links, o.Links, func(a, b Link) bool {
		return a.Interface == b.Interface && slices.Equal(a.Search, b.Search) && slices.Equal(a.Routed, b.Routed)
	})
}
