package forward

import "github.com/cvlan/cvlan/internal/base/mono"

// Toll holds each tenant to what its nodes may send together, whichever worker they come to. All Books of a relay share one and may ask it at once; Room and Forget
// are called when Apply and Settle are.
type Toll interface {
	// Open reports whether a tenant may send now, Charge has it pay for a frame of n bytes.
	Open(now mono.Time, tenant uint32) bool
	Charge(now mono.Time, tenant uint32, n int)
	// Room makes room for a tenant, Forget begins anew for the next one in its slot.
	Room(tenant uint32)
	Forget(tenant uint32)
}
