// Package tunnel carries the packets of one membership between a TUN device and UDP sockets: routes, paths, queues, counters and the
// two hot loops. It knows no tunnel protocol: WireGuard (package wg) is a Transport, and ESP with its IKE (package ipsec) another.
//
// # Workers
//
// For each queue of the TUN device and each socket there is a pair of workers, one a direction. A worker runs a packet to completion:
// it reads a train of packets (outbound.go) or datagrams (inbound.go), decides, seals or opens each in place, and writes a train, in one
// goroutine, without a lock or an allocation a packet. What workers read is published by the owner: routes and sessions in tables whose
// readers never wait, a peer's session and path by one pointer each. Order is kept within a flow, because the kernel keeps a flow on a
// queue, and a peer's address on a socket.
//
// # The owner
//
// One goroutine owns peers, transports, timers and paths (owner.go). It is told, by bounded queues, of control messages, of marks in
// sessions, and of peers that packets wait for. What finds no room is dropped and counted: a mark is repeated with the next batch, a
// wish with the next packet, a handshake by whoever sent it.
//
// # Memory
//
// All memory for packets comes out of one Budget a process (data_memory): the buffers of each worker, taken when the tunnel starts, and
// the packets that wait for a session, at most 128 a peer. Beyond it packets are dropped and counted. Queues towards the host and the
// network are the kernel's, which bounds them.
//
// # Sizes
//
// The inside has one MTU. Where the system knows that a path is narrower, packets that do not fit are answered with "packet too big", SYNs
// of TCP are clamped, and packets that may be fragmented, or are not larger than 1,280 bytes, travel in fragments of the outer datagram. Where
// probes have found a black hole nobody makes such fragments: there these packets are cut inside, before they are sealed.
package tunnel
