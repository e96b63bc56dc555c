//go:build linux

package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
)

// change is what one set=1 asks for.
type change struct {
	private key.WGPrivate // zero: as it is
	port    uint16        // 0: as it is
	peers   []peerChange
}

// peerChange is what is asked for one peer. What was not said is nil, and stays as it is.
type peerChange struct {
	key       key.WGPublic
	remove    bool
	preshared *[32]byte
	endpoint  *netip.AddrPort
	keepalive *time.Duration
	replace   bool // the ranges so far are forgotten
	allowed   []netip.Prefix
}

// maxLines bounds one request.
const maxLines = 1000

// readChange reads the lines of a set=1, to the empty one.
func readChange(r *bufio.Reader) (c change, err error) {
	for range maxLines {
		line, err := r.ReadString('\n')
		if err != nil {
			return c, err
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			return c, nil
		}
		name, value, found := strings.Cut(line, "=")
		if !found {
			return c, fmt.Errorf("a line without =")
		}
		if err := c.set(name, value); err != nil {
			return c, fmt.Errorf("%s: %w", name, err)
		}
	}
	return c, fmt.Errorf("more than %d lines", maxLines)
}

func (c *change) set(name, value string) error {
	switch name {
	case "private_key":
		b, err := readKey(value)
		if err != nil {
			return err
		}
		c.private, err = key.ParseWGPrivate(b[:])
		return err
	case "listen_port":
		n, err := strconv.ParseUint(value, 10, 16)
		c.port = uint16(n)
		return err
	case "fwmark", "replace_peers":
		return nil // nothing to do for a program that starts without peers
	case "public_key":
		b, err := readKey(value)
		c.peers = append(c.peers, peerChange{key: key.WGPublic(b)})
		return err
	}
	if len(c.peers) == 0 {
		return fmt.Errorf("it is of no peer")
	}
	return c.peers[len(c.peers)-1].set(name, value)
}

func (p *peerChange) set(name, value string) error {
	switch name {
	case "remove":
		p.remove = value == "true"
	case "update_only", "protocol_version":
	case "preshared_key":
		b, err := readKey(value)
		p.preshared = &b
		return err
	case "endpoint":
		a, err := netip.ParseAddrPort(value)
		p.endpoint = &a
		return err
	case "persistent_keepalive_interval":
		n, err := strconv.ParseUint(value, 10, 16)
		d := time.Duration(n) * time.Second
		p.keepalive = &d
		return err
	case "replace_allowed_ips":
		p.replace = true
	case "allowed_ip":
		a, err := netip.ParsePrefix(value)
		p.allowed = append(p.allowed, a)
		return err
	default:
		return fmt.Errorf("it is unknown")
	}
	return nil
}

func readKey(text string) (b [32]byte, err error) {
	if n, err := hex.Decode(b[:], []byte(text[:min(len(text), 64)])); err != nil || n != 32 || len(text) != 64 {
		return b, fmt.Errorf("want 64 digits of a key")
	}
	return b, nil
}

// state is what get=1 tells.
type state struct {
	private key.WGPrivate
	port    uint16
	peers   []peerState
}

type peerState struct {
	key       key.WGPublic
	preshared [32]byte
	endpoint  netip.AddrPort // invalid: none
	handshake time.Time      // zero: none
	rx, tx    uint64
	keepalive time.Duration
	allowed   []netip.Prefix
}

func (s state) write(w io.Writer) {
	if !s.private.IsZero() {
		fmt.Fprintf(w, "private_key=%s\nlisten_port=%d\n", s.private.Hex(), s.port)
	}
	for _, p := range s.peers {
		fmt.Fprintf(w, "public_key=%x\npreshared_key=%x\nprotocol_version=1\n", p.key[:], p.preshared[:])
		if p.endpoint.IsValid() {
			fmt.Fprintf(w, "endpoint=%s\n", p.endpoint)
		}
		var sec, nsec int64
		if !p.handshake.IsZero() {
			sec, nsec = p.handshake.Unix(), int64(p.handshake.Nanosecond())
		}
		fmt.Fprintf(w, "last_handshake_time_sec=%d\nlast_handshake_time_nsec=%d\n", sec, nsec)
		fmt.Fprintf(w, "tx_bytes=%d\nrx_bytes=%d\npersistent_keepalive_interval=%d\n", p.tx, p.rx, int(p.keepalive.Seconds()))
		for _, a := range p.allowed {
			fmt.Fprintf(w, "allowed_ip=%s\n", a)
		}
	}
}
