// Package offload takes packet trains apart and puts them together: what network cards and kernels call TSO, USO, GSO and GRO.
//
// A kernel hands a program up to 64 KB of one TCP or UDP flow as a single Super: the headers once, the payload of all segments, and
// the payload's size a segment. A Splitter makes the packets of it that travel. In the other direction a Joiner collects packets
// that came out of a tunnel and joins those that continue each other into a Run, which a kernel takes as one packet again. What
// this saves is the kernel's work a packet, the greatest cost of a tunnel.
//
// # Rules
//
// Nothing is joined that a router could not have received as a train: same addresses, ports, TOS, TTL, flags, options and TCP
// acknowledgement; sequence numbers that continue; equal payloads, of which only the last may be smaller; a TCP segment with FIN, RST,
// SYN or URG stands alone, PSH ends a run. Checksums are verified before a packet is joined, because the kernel computes them anew and would
// vouch for what a broken sender wrote; what does not verify passes alone and untouched. The order within a flow is kept.
//
// A Splitter may leave the checksums of a train partial where the tunnel itself vouches for every bit, and a Joiner is at the other end: it takes them for
// good and has its kernel complete them if the packet travels on (docs/adr/0053).
//
// Splitting follows what Linux does in tcp_gso_segment and __udp_gso_segment: the IPv4 identification counts up, CWR stays on the
// first segment only, FIN and PSH on the last only.
//
// Everything here works on memory of the caller and allocates nothing.
package offload
