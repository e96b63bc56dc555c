package tun

import (
	"slices"

	"github.com/cvlan/cvlan/internal/core/offload"
)

// Send plays the host that sends a packet into the interface. It reports whether there was room.
func (t *Twin) Send(packet []byte) bool { return t.SendTrain(offload.Super{Packet: packet}) }

// SendTrain plays the host that hands over what its layout says, by the queue of its flow. A train that makes no sense is skipped by Read.
func (t *Twin) SendTrain(s offload.Super) bool {
	if t.over() == nil {
		s.Packet = append([]byte{}, s.Packet...)
		select {
		case t.queues[flow(s.Packet)%uint32(len(t.queues))].out <- s:
			return true
		default:
		}
	}
	t.dropped.Add(1)
	return false
}

// Receive plays the host: it waits for the next packet that came out of the tunnel. What arrived before the end is received; then
// Receive returns what Read does.
func (t *Twin) Receive() ([]byte, error) {
	select {
	case p := <-t.arrived:
		return p, nil
	default:
	}
	select {
	case p := <-t.arrived:
		return p, nil
	case <-t.ended:
		return nil, t.end
	}
}

// Arrived is the channel behind Receive, for a select. A train arrives as the packets that it stands for, with their checksums done.
func (t *Twin) Arrived() <-chan []byte { return t.arrived }

// Tap returns a channel that from now on gets every run as it was written, flattened, besides the packets in Arrived. A run that finds
// it full is not told. A second Tap takes the place of the first.
func (t *Twin) Tap() <-chan offload.Super {
	c := make(chan offload.Super, twinTap)
	t.tap.Store(&c)
	return c
}

// Fail makes the device go, as if somebody had removed the interface: Read and Write return err, which is not os.ErrClosed.
func (t *Twin) Fail(err error) { t.finish(err) }

// Dropped counts packets and trains that found a full queue or a device that has ended, in both directions.
func (t *Twin) Dropped() uint64 { return t.dropped.Load() }

// accept takes a run that was written, as a host does.
func (t *Twin) accept(s offload.Super) {
	if len(s.Packet) > offload.MaxPacket || !sound(&s.Layout, s.Packet) || s.Protocol == offload.UDP && t.config.NoUSO {
		t.refused.Add(1)
		return
	}
	if tap := t.tap.Load(); tap != nil {
		select {
		case *tap <- offload.Super{Layout: s.Layout, Packet: slices.Clone(s.Packet)}:
		default:
		}
	}
	for _, p := range split(s) {
		select {
		case t.arrived <- p:
		default:
			t.dropped.Add(1)
		}
	}
}

// flow hashes what tells flows apart (FNV-1a): addresses, and ports if they follow directly.
func flow(p []byte) uint32 {
	if !isIP(p) {
		return 0
	}
	from, to, protocol, ports := 12, 20, p[9], int(p[0]&15)*4
	if p[0]>>4 == 6 {
		from, to, protocol, ports = 8, 40, p[6], header6
	}
	h := uint32(2166136261)
	for _, b := range p[from:to] {
		h = (h ^ uint32(b)) * 16777619
	}
	if (protocol == protoTCP || protocol == protoUDP) && len(p) >= ports+4 {
		for _, b := range p[ports : ports+4] {
			h = (h ^ uint32(b)) * 16777619
		}
	}
	return h
}
