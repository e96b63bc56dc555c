//go:build !linux

package sock

import (
	"errors"
	"net/netip"
)

// Detour does not exist here.
type Detour struct{}

// MaxTaken is how many Takings there may be.
const MaxTaken = 64

// Taking names the datagrams of one association.
type Taking struct {
	SPI uint32
	To  netip.Addr
}

// OpenDetour fails.
func OpenDetour([]Socket) (*Detour, error) {
	return nil, errors.New("open a detour: the system cannot")
}

// Take does nothing.
func (*Detour) Take([]Taking) error { return nil }

// Close does nothing.
func (*Detour) Close() error { return nil }
