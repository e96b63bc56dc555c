// Package fit decides what becomes of packets that do not fit through a path: whoever sent them is told (TooBig), TCP is kept from
// making them (ClampMSS), and what may be fragmented is (Cutter).
//
// A tunnel that is silent about a narrow path is a black hole: small packets pass, large ones vanish, and a connection opens and then
// stands still. Both remedies are needed. The message is exact, and reaches every protocol, but firewalls drop it and IPv4 without DF
// does not hear it. The clamp is crude, and only for TCP, but nothing can drop it. What is left is cut: IPv4 without DF, and IPv6 where a path takes less than the 1,280 bytes that it may count on.
//
// Everything here works on memory of the caller, and allocates nothing if that is large enough. Every byte may be hostile.
package fit
