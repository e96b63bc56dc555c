// Package load puts load on a network and says what came through: bytes over parallel TCP streams, round trips of small
// UDP packets. A laboratory's benchmarks use it where a machine has no other tool.
//
// # Wire
//
// A TCP connection begins with 9 bytes from the client: a direction ('u' up or 'd' down) and, big-endian, how many
// nanoseconds the server shall send (down; 0 for up). Up, the client sends until it closes its half, and the server
// answers with the number of bytes it has read, 8 bytes big-endian. Down, the server sends and closes. UDP packets to
// the same port are sent back as they are.
package load

import "time"

const (
	up   = 'u'
	down = 'd'

	headerLen  = 9
	chunk      = 128 << 10 // bytes a write
	maxFor     = time.Hour
	maxStreams = 256 // of one client, and connections of one server
)
