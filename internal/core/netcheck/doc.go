// Package netcheck draws conclusions from what a check of this machine's network has observed: how the NAT behaves (RFC 4787, found as RFC
// 5780 describes), what passes, and what that means for direct connections, in words. It is pure; internal/node/netcheck observes.
//
// Mapping is told from one socket that asked several servers. The same outside address for all of them, at least two IP addresses, is an
// independent mapping. If different IP addresses see different ones, then two ports of one IP address decide: the same for both is an address-dependent
// mapping, else it depends on the port, too. Where no server was asked at two ports the stricter is assumed. Where the outside address
// is one of this machine's own there is no NAT.
//
// What is observed comes from relays and from the gateway, and may be lies; a report is for people, and nothing is sent because of it.
package netcheck
