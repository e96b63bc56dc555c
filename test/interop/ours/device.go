//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/node/wg"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

// mtu is what the stories give every side.
const mtu = 1420

// ours is a TUN device, and a tunnel as soon as it has been told a key.
type ours struct {
	mu     sync.Mutex
	inside tun.Device
	tunnel *tunnel.Tunnel // nil: there is no key yet
	key    key.WGPrivate
	port   uint16
	peers  map[key.WGPublic]tunnel.PeerConfig // as the tunnel was told
}

func openDevice(name string) (*ours, error) {
	inside, err := tun.Open(tun.Config{Name: name, MTU: mtu, Queues: 1})
	if err != nil {
		return nil, err
	}
	return &ours{inside: inside, peers: map[key.WGPublic]tunnel.PeerConfig{}}, nil
}

func (o *ours) change(c change) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c.port != 0 {
		if o.tunnel != nil && c.port != o.port {
			return errors.New("the port cannot be changed any more")
		}
		o.port = c.port
	}
	if !c.private.IsZero() {
		if err := o.start(c.private); err != nil {
			return err
		}
	}
	for _, p := range c.peers {
		if o.tunnel == nil {
			return errors.New("a peer comes after the private key")
		}
		if err := o.setPeer(p); err != nil {
			return err
		}
	}
	return nil
}

func (o *ours) start(k key.WGPrivate) error {
	if o.tunnel != nil {
		return errors.New("the private key cannot be changed any more")
	}
	s, err := sock.Open(sock.Config{Port: o.port})
	if err != nil {
		return err
	}
	t, err := tunnel.New(tunnel.Config{
		Self: k.Public(), TUN: o.inside, Sockets: []sock.Socket{s}, PathMTU: sock.PathMTU,
		Transports: map[tunnel.Class]tunnel.Build{tunnel.WireGuard: wg.New(wg.Config{Private: k})},
	})
	if err != nil {
		return fmt.Errorf("start the tunnel: %w", err)
	}
	o.tunnel, o.key, o.port = t, k, t.Port()
	return nil
}

func (o *ours) setPeer(p peerChange) error {
	if p.remove {
		delete(o.peers, p.key)
		o.tunnel.RemovePeer(p.key)
		return nil
	}
	c := o.peers[p.key]
	c.Key = p.key
	if p.preshared != nil {
		c.Preshared = *p.preshared
	}
	if p.keepalive != nil {
		c.Keepalive = *p.keepalive
	}
	if p.endpoint != nil {
		c.Candidates = []netip.AddrPort{*p.endpoint}
	}
	if p.replace {
		c.Allowed = nil
	}
	c.Allowed = append(slices.Clone(c.Allowed), p.allowed...)
	if err := o.tunnel.SetPeer(c); err != nil {
		return err
	}
	o.peers[p.key] = c
	return nil
}

func (o *ours) state() state {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := state{private: o.key, port: o.port}
	if o.tunnel == nil {
		return s
	}
	for _, p := range o.tunnel.Peers() {
		s.peers = append(s.peers, peerState{
			key: p.Key, preshared: o.peers[p.Key].Preshared, endpoint: p.Endpoint, handshake: p.LastHandshake,
			rx: p.RxBytes, tx: p.TxBytes, keepalive: p.Keepalive, allowed: p.Allowed,
		})
	}
	return s
}

func (o *ours) drops() map[string]uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.tunnel == nil {
		return nil
	}
	return o.tunnel.State().Drops
}
