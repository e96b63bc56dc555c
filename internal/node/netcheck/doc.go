// Package netcheck checks this machine's network: it asks relays over UDP and TLS, the gateway for its protocols, and the controller for
// the time, all at once, and lets core/netcheck draw the report.
//
// A check takes as long as the slowest answer, three seconds where something is silent (Limit). It uses sockets of its own, so that
// it sees what a fresh socket sees, and at most nine:
//
//   - one asks every relay, at its STUN port and its main port: round trips, IPv4 and IPv6 apart, mapping, kept port. The four fastest
//     relays are then asked with padded questions: what size passes.
//   - two a family, each toward a relay of its own, find out how the NAT filters; they have spoken to nobody before.
//   - two find out whether the NAT turns packets back: each learns where it is seen, then they send to each other there.
//
// Everything that is sent is a STUN question to a relay that the network's map names, but for a few datagrams to where those relays
// say that our own two sockets are seen, and only if they name one address, and a sane one.
package netcheck
