package igd

import (
	"bytes"
	"net/netip"
	"net/url"
	"strings"
)

// Group is where a search goes to; a device also listens at the same port of its own address.
var Group = netip.MustParseAddrPort("239.255.255.250:1900")

// MaxText is the longest description or answer that is read, MaxFound the longest answer to a search, in bytes.
const (
	MaxText  = 64 << 10
	MaxFound = 2 << 10
)

// targets are what is searched for.
var targets = []string{
	"urn:schemas-upnp-org:device:InternetGatewayDevice:1",
	"urn:schemas-upnp-org:device:InternetGatewayDevice:2",
}

// Searches returns the datagrams of one search: who is a gateway device shall answer within a second.
func Searches() (all [][]byte) {
	for _, t := range targets {
		all = append(all, []byte("M-SEARCH * HTTP/1.1\r\nHOST: "+Group.String()+"\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: "+t+"\r\n\r\n"))
	}
	return all
}

// Place is where a device answers: http at an address, with a path that begins with "/".
type Place struct {
	At   netip.AddrPort
	Path string
}

// ParseFound reads the answer to a search, and reports whether it names a gateway device's description at the gateway.
func ParseFound(b []byte, gateway netip.Addr) (Place, bool) {
	if len(b) > MaxFound || !bytes.HasPrefix(b, []byte("HTTP/1.1 200")) {
		return Place{}, false
	}
	var location, kind string
	for line := range strings.SplitSeq(string(b), "\n") {
		name, value, _ := strings.Cut(line, ":")
		switch strings.ToUpper(strings.TrimSpace(name)) {
		case "LOCATION":
			location = strings.TrimSpace(value)
		case "ST":
			kind = strings.TrimSpace(value)
		}
	}
	if !strings.HasPrefix(kind, "urn:schemas-upnp-org:device:InternetGatewayDevice:") {
		return Place{}, false
	}
	return place(location, gateway)
}

// place reads a URL that must be http at the gateway.
func place(s string, gateway netip.Addr) (Place, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" || u.User != nil || len(s) > 1024 {
		return Place{}, false
	}
	host := u.Host
	if u.Port() == "" {
		host += ":80"
	}
	at, err := netip.ParseAddrPort(host)
	if err != nil || at.Port() == 0 || at.Addr().Unmap() != gateway {
		return Place{}, false
	}
	path := u.RequestURI()
	if !strings.HasPrefix(path, "/") {
		return Place{}, false
	}
	return Place{netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), path}, true
}

// resolve reads a URL of a description, which may be relative to the description's own.
func (p Place) resolve(s string, gateway netip.Addr) (Place, bool) {
	base := url.URL{Scheme: "http", Host: p.At.String(), Path: "/"}
	if u, err := url.Parse(p.Path); err == nil {
		base.Path = u.Path
	}
	u, err := base.Parse(s)
	if err != nil {
		return Place{}, false
	}
	return place(u.String(), gateway)
}
