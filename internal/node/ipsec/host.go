package ipsec

import (
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/esp"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// SPI implements Host.
func (t *transport) SPI() (esp.SPI, error) {
	s, err := t.machine.SPI()
	if err == nil {
		t.out.Events = append(t.out.Events, tunnel.Event{Kind: tunnel.Offered, Index: uint32(s)})
	}
	return s, err
}

// Release implements Host.
func (t *transport) Release(s esp.SPI) {
	t.machine.Release(s)
	t.out.Events = append(t.out.Events, tunnel.Event{Kind: tunnel.Withdrawn, Index: uint32(s)})
}

// TakesPartial implements Host. The kernel, which may be lent the opening, passes on what it opens as it came.
func (t *transport) TakesPartial() bool { return t.kernel == nil }

// Install implements Host.
func (t *transport) Install(now mono.Time, p *tunnel.Peer, k esp.Keys) error {
	t.know(p)
	if err := t.machine.Install(now, p.Key(), k, &t.esp); err != nil {
		return err
	}
	if t.kernel != nil {
		t.kernel.keep(k)
	}
	return nil
}

// Delete implements Host.
func (t *transport) Delete(now mono.Time, s esp.SPI) {
	t.machine.Delete(now, s, &t.esp)
	if t.kernel != nil {
		t.kernel.ended(now, s)
	}
}

// Pairs implements Host.
func (t *transport) Pairs(p *tunnel.Peer) []esp.Status { return t.machine.Status(p.Key()) }

// Send implements Host.
func (t *transport) Send(m Message) {
	data := append(make([]byte, esp.MarkerSize, esp.MarkerSize+len(m.Data)), m.Data...)
	t.out.Transmits = append(t.out.Transmits, tunnel.Transmit{Peer: m.Peer, To: m.To, At: m.At, Opening: m.Opening, Data: data})
}

// Heard implements Host.
func (t *transport) Heard(p *tunnel.Peer, from tunnel.Source) {
	t.out.Events = append(t.out.Events, tunnel.Event{Kind: tunnel.Heard, Peer: p, Source: from})
}

// GiveUp implements Host.
func (t *transport) GiveUp(p *tunnel.Peer) {
	t.out.Events = append(t.out.Events, tunnel.Event{Kind: tunnel.GaveUp, Peer: p, Protocol: tunnel.IKE})
}
