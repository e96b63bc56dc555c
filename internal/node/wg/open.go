package wg

import (
	"context"
	"encoding/binary"
	"log/slog"
	"net/netip"

	"golang.zx2c4.com/wireguard/conn"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/core/path"
)

// choice is what a Picker decided about one target, taken out of the bind's lock.
type choice struct {
	out     path.Out
	opening [initiationSize]byte
}

// add makes the target of a new peer; one that exists stays.
func (b *bind) add(k key.WGPublic) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.targets[k] == nil {
		b.targets[k] = newTarget(k)
	}
}

// remove forgets a target.
func (b *bind) remove(k key.WGPublic) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.targets[k]
	if t == nil {
		return
	}
	delete(b.targets, k)
	b.unhint(t)
	b.settled(t)
}

// setCandidates tells a target's addresses. If its latest initiation waits for an answer, new addresses get a copy.
func (b *bind) setCandidates(k key.WGPublic, all []netip.AddrPort) {
	b.decide(k, func(t *target, out *path.Out) { t.picker.SetCandidates(b.clock.Now(), all, out) })
}

// wake doubts where a peer is; data goes to where it was meanwhile, if it was anywhere.
func (b *bind) wake(k key.WGPublic, last netip.AddrPort) {
	b.decide(k, func(t *target, out *path.Out) {
		t.doubted = true
		t.picker.Wake(b.clock.Now(), out)
		if last.IsValid() {
			t.last.Store(&conn.StdNetEndpoint{AddrPort: last})
		}
	})
}

// doubted reports whether a peer has not answered an initiation since wake, and none is under way.
func (b *bind) doubted(k key.WGPublic) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.targets[k]
	return t != nil && t.doubted && !t.waiting
}

// decide asks a target's Picker something and sends the latest initiation where it says.
func (b *bind) decide(k key.WGPublic, ask func(*target, *path.Out)) {
	b.mu.Lock()
	t := b.targets[k]
	if t == nil {
		b.mu.Unlock()
		return
	}
	var c choice
	ask(t, &c.out)
	c.opening = t.opening
	if !t.waiting {
		c.out.Transmits = nil
	}
	b.mu.Unlock()
	b.tell(k, c.out.Events)
	bufs := [][]byte{c.opening[:]}
	for _, to := range c.out.Transmits {
		if err := b.std.Send(bufs, &conn.StdNetEndpoint{AddrPort: to}); err != nil {
			b.log.Debug("handshake not sent", logx.Peer, k.Short(), logx.Addr, to, logx.Err, err)
		}
	}
}

// open sends an initiation wherever the peer might be. using is the library's endpoint, nil if that is the target itself. It is
// an error if no address took it.
func (b *bind) open(bufs [][]byte, t *target, using *conn.StdNetEndpoint) error {
	var at netip.AddrPort
	if using != nil {
		at = netip.AddrPortFrom(using.AddrPort.Addr().Unmap(), using.AddrPort.Port())
	}
	b.mu.Lock()
	if b.targets[t.key] != t { // removed meanwhile
		b.mu.Unlock()
		return errNowhere
	}
	b.settled(t)
	copy(t.opening[:], bufs[0])
	t.waiting = true
	b.asked[t.index()] = t
	var out path.Out
	t.picker.Open(b.clock.Now(), at, &out)
	b.mu.Unlock()
	b.tell(t.key, out.Events)

	sent, err := false, errNowhere
	for _, to := range out.Transmits {
		e := using
		if to != at {
			e = &conn.StdNetEndpoint{AddrPort: to}
		}
		if fault := b.send(bufs, e); fault != nil {
			err = fault
		} else {
			sent = true
		}
	}
	if sent {
		return nil
	}
	return err
}

// whose finds the peer that an initiation was made for.
func (b *bind) whose(initiation []byte, at netip.AddrPort) *target {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.hints[at]; t != nil && isFor(initiation, &t.mac1) {
		return t
	}
	for _, t := range b.targets {
		if isFor(initiation, &t.mac1) {
			return t
		}
	}
	return nil
}

// answered takes note of a response to one of our initiations. It has not been authenticated yet: somebody who saw the initiation
// can forge what is looked at here. All that a forged one does is to spare the next renewal its copies; where packets go is the
// library's decision, which has authenticated.
func (b *bind) answered(response []byte, from conn.Endpoint) {
	e, ok := from.(*conn.StdNetEndpoint)
	if !ok {
		return
	}
	b.mu.Lock()
	t := b.asked[binary.LittleEndian.Uint32(response[8:])]
	if t == nil {
		b.mu.Unlock()
		return
	}
	b.settled(t)
	t.doubted = false
	var out path.Out
	t.picker.Heard(b.clock.Now(), e.AddrPort, &out)
	b.unhint(t)
	t.hint = e.AddrPort
	b.hints[t.hint] = t
	b.mu.Unlock()
	b.tell(t.key, out.Events)
}

// settled ends the wait for an answer to a target's latest initiation.
func (b *bind) settled(t *target) {
	if t.waiting && b.asked[t.index()] == t {
		delete(b.asked, t.index())
	}
	t.waiting = false
}

func (b *bind) unhint(t *target) {
	if b.hints[t.hint] == t {
		delete(b.hints, t.hint)
	}
}

// tell logs what happened to a path. It is rare, but not so rare as to make strings that nobody reads.
func (b *bind) tell(k key.WGPublic, events []path.Event) {
	if len(events) == 0 || !b.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	for _, e := range events {
		switch e.Kind {
		case path.PathProven:
			b.log.Debug("path proven", logx.Peer, k.Short(), logx.Addr, e.Addr)
		case path.PathLost:
			b.log.Debug("path lost, trying all", logx.Peer, k.Short(), logx.Addr, e.Addr)
		}
	}
}
