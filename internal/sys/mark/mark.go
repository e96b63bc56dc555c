// Package mark tells the kernel which packets are the daemon's own: those that carry tunnels, and its talk with controllers, relays and gateways. While all
// other traffic of a machine leaves through an exit, these go as they would without (see internal/sys/osnet).
//
// Sockets carry the mark always, because they outlive a change of mind about exits. Marks are the host's: other programs use them as well. Ours is one of the
// lowest eight bits, which the known ones leave alone (Kubernetes 0xc000, Cilium 0xf00, Tailscale 0xff0000, Calico the upper half).
package mark

// Value is the mark of the daemon's own packets, in the bits of Mask.
const (
	Value = 0xc0
	Mask  = 0xff
)
