package wg

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
)

// The library is configured in the text of WireGuard's cross-platform protocol (https://www.wireguard.com/xplatform/).

// newPeerText makes a peer.
func newPeerText(p Peer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "public_key=%x\nendpoint=%s\nreplace_allowed_ips=true\n", p.Key[:], p.Key)
	for _, a := range p.Allowed {
		fmt.Fprintf(&b, "allowed_ip=%s\n", a)
	}
	return b.String()
}

// changeText turns a peer's old ranges into the new ones without a moment in which one that stays is missing; "" if nothing
// differs.
func changeText(k key.WGPublic, old, next []netip.Prefix) string {
	var b strings.Builder
	line := func(prefix string, all, besides []netip.Prefix) {
		for _, a := range all {
			if !slices.Contains(besides, a) {
				fmt.Fprintf(&b, "allowed_ip=%s%s\n", prefix, a)
			}
		}
	}
	line("", next, old)
	line("-", old, next)
	if b.Len() == 0 {
		return ""
	}
	return fmt.Sprintf("public_key=%x\nupdate_only=true\n%s", k[:], b.String())
}

// doubtText makes peers' endpoints their targets again.
func doubtText(all []PeerState) string {
	var b strings.Builder
	for _, p := range all {
		fmt.Fprintf(&b, "public_key=%x\nupdate_only=true\nendpoint=%s\n", p.Key[:], p.Key)
	}
	return b.String()
}

func removeText(k key.WGPublic) string { return fmt.Sprintf("public_key=%x\nremove=true\n", k[:]) }

// parseStates reads the peers out of the library's answer. Its device section, with the private key, is passed over.
func parseStates(text string) ([]PeerState, error) {
	var all []PeerState
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if name == "public_key" {
			k, err := hex.DecodeString(value)
			if err != nil || len(k) != len(key.WGPublic{}) {
				return nil, fmt.Errorf("the library's answer has the public key %.80q", value)
			}
			all = append(all, PeerState{Key: key.WGPublic(k)})
		} else if len(all) > 0 {
			if err := all[len(all)-1].set(name, value); err != nil {
				return nil, fmt.Errorf("the library's answer has %s=%.80q: %w", name, value, err)
			}
		}
	}
	return all, nil
}

// set takes one line of a peer. Lines that say nothing of interest here are passed over.
func (p *PeerState) set(name, value string) (err error) {
	switch name {
	case "endpoint":
		p.Endpoint, _ = netip.ParseAddrPort(value) // a target has none
		p.Endpoint = netip.AddrPortFrom(p.Endpoint.Addr().Unmap(), p.Endpoint.Port())
	case "last_handshake_time_sec":
		var n int64
		if n, err = strconv.ParseInt(value, 10, 64); n != 0 {
			p.LastHandshake = time.Unix(n, 0)
		}
	case "last_handshake_time_nsec":
		var n int64
		if n, err = strconv.ParseInt(value, 10, 64); !p.LastHandshake.IsZero() {
			p.LastHandshake = p.LastHandshake.Add(time.Duration(n))
		}
	case "tx_bytes":
		p.TxBytes, err = strconv.ParseUint(value, 10, 64)
	case "rx_bytes":
		p.RxBytes, err = strconv.ParseUint(value, 10, 64)
	}
	return err
}
