// Package igd holds the texts of UPnP's Internet Gateway Device: the search (SSDP), the device's description, and the calls (SOAP) that
// map a UDP port. It is pure; who sends and receives is internal/sys/portmap.
//
// A device is any machine of the local network that says so, and it is not authenticated at all. Therefore only the default gateway is
// believed: a Place, of a description or a control point, is http at the gateway's own address, written as numbers; a name, another address or
// another scheme is refused, so that nothing can make us fetch from elsewhere. What is longer than MaxText is refused, too. XML is
// read with the standard decoder, which knows no external entities.
//
// Versions 1 and 2 of the device and of its services WANIPConnection and WANPPPConnection are the same as far as we use them (UPnP
// Forum, WANIPConnection:2, sections 2.5.16, 2.5.18 and 2.5.20).
package igd
