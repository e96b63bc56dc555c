// Package load puts load on a network and says what came through: bytes over parallel TCP streams, round trips of small
// UDP packets, paced UDP packets in one direction, and floods of WireGuard handshake initiations. A laboratory's
// benchmarks use it where a machine has no other tool. Every load is bounded in time and stops by itself.
//
// # Wire
//
// A TCP connection begins with 9 bytes from the client: what it wants ('u' up, 'd' down or 'p' packets) and a number. All
// numbers are 8 bytes, big-endian.
//
//	up       0. The client sends until it closes its half, and the server answers with the number of bytes it has read.
//	down     how many nanoseconds the server shall send. It sends and closes.
//	packets  how many UDP packets will come at most. The server answers with a port that it has opened for them alone. They
//	         carry their number, from 0, in the first 8 bytes. When the client closes its half, the server answers with how many
//	         different numbers it has received, how many packets came more than once, and how many came after a higher number.
//
// UDP packets to the server's own port are sent back as they are.
//
// Who sends a stream has its congestion controlled by CUBIC, on Linux, so that results do not depend on what the machine's administrator prefers.
package load

import "time"

const (
	up      = 'u'
	down    = 'd'
	packets = 'p'

	headerLen  = 9
	chunk      = 128 << 10 // bytes a write
	maxFor     = time.Hour
	maxStreams = 256 // of one client, and connections of one server
)
