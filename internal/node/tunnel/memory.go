package tunnel

import (
	"fmt"
	"sync"
)

// Bounds of a Budget, in bytes.
const (
	DefaultMemory = 32 << 20
	LeastMemory   = 4 << 20
)

// Budget is the memory that all tunnels of a process together may use for packets: the buffers of their workers and the packets
// that wait for a session. What would exceed it is refused, and the packet dropped and counted.
type Budget struct {
	mu          sync.Mutex
	limit, used int
	free        map[int][][]byte // slots of packets that were given back, by size
}

// NewBudget makes a budget of so many bytes; 0: DefaultMemory.
func NewBudget(limit int) *Budget {
	if limit == 0 {
		limit = DefaultMemory
	}
	return &Budget{limit: limit, free: map[int][][]byte{}}
}

// Used is how much is taken, in bytes.
func (b *Budget) Used() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// reserve takes n bytes for buffers that live as long as their worker.
func (b *Budget) reserve(n int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shrink(n)
	if b.used+n > b.limit {
		return fmt.Errorf("%d KiB of packet memory are left of %d, and %d are needed; raise data_memory", (b.limit-b.used)>>10, b.limit>>10, n>>10)
	}
	b.used += n
	return nil
}

func (b *Budget) release(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
}

// shrink lets free slots go if n more bytes do not fit otherwise.
func (b *Budget) shrink(n int) {
	for size, all := range b.free {
		for len(all) > 0 && b.used+n > b.limit {
			all = all[:len(all)-1]
			b.used -= size
		}
		b.free[size] = all
	}
}

// slot returns a buffer of so many bytes for one packet, nil if the budget does not allow it.
func (b *Budget) slot(size int) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if all := b.free[size]; len(all) > 0 {
		s := all[len(all)-1]
		b.free[size] = all[:len(all)-1]
		return s
	}
	b.shrink(size)
	if b.used+size > b.limit {
		return nil
	}
	b.used += size
	return make([]byte, size)
}

// giveBack returns a slot; it must not be used any more.
func (b *Budget) giveBack(s []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s = s[:cap(s)]
	b.free[len(s)] = append(b.free[len(s)], s)
}
