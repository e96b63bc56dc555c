package server

import (
	"bytes"
	"context"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/forward"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/proto/relay"
)

const (
	postRoom = 1024 // control frames that wait for the owner; more are dropped
	atOnce   = 128  // that it acts on before it publishes
)

// owner is the goroutine that uses the machine.
type owner struct {
	s       *Server
	machine *forward.Machine
	posts   chan post
	calls   chan call
	gone    chan struct{}
	out     forward.Out
	trains  []sock.Train
}

// post is a control frame or a notice, or the beginning of a Data frame whose channel leads nowhere.
type post struct {
	src   forward.Place
	local [16]byte
	about about
	size  uint8
	frame [relay.ControlSize]byte
	call  []byte // the whole frame of a Call, nil: it is another
}

// asked makes the post of a control frame.
func asked(src forward.Place, local [16]byte, frame []byte) *post {
	p := &post{src: src, local: local}
	copy(p.frame[:], frame)
	if len(frame) > len(p.frame) {
		p.call = bytes.Clone(frame)
	}
	return p
}

// about says what a post is about.
type about uint8

const (
	aClient    about = iota
	aFault           // the frame led nowhere
	aNeighbour       // what a relay of the region answers
)

type call struct {
	do   func(*forward.Machine, mono.Time, *forward.Out)
	done chan struct{}
}

func newOwner(s *Server, m *forward.Machine) owner {
	return owner{s: s, machine: m, posts: make(chan post, postRoom), calls: make(chan call), gone: make(chan struct{})}
}

// offer posts without waiting; false if the owner has too much to do.
func (o *owner) offer(p *post) bool {
	select {
	case o.posts <- *p:
		return true
	default:
		return false
	}
}

// call lets the owner do something, and returns when what changed is published and sent. When the owner has ended it does nothing.
func (o *owner) call(do func(*forward.Machine, mono.Time, *forward.Out)) {
	c := call{do, make(chan struct{})}
	select {
	case o.calls <- c:
		<-c.done
	case <-o.gone:
	}
}

func (o *owner) run(ctx context.Context) {
	defer close(o.gone)
	wake := time.NewTimer(time.Hour)
	defer wake.Stop()
	for {
		if d := o.machine.Deadline(); d == mono.Never {
			wake.Stop()
		} else {
			wake.Reset(o.s.clock.Until(d))
		}
		var done chan struct{}
		o.out.Reset()
		select {
		case <-ctx.Done():
			return
		case p := <-o.posts:
			o.act(&p)
		case c := <-o.calls:
			c.do(o.machine, o.s.clock.Now(), &o.out)
			done = c.done
		case <-wake.C:
			o.machine.Tick(o.s.clock.Now(), &o.out)
		}
		o.more()
		o.publish()
		o.send()
		if done != nil {
			close(done)
		}
	}
}

// more acts on the posts that wait already.
func (o *owner) more() {
	for range atOnce {
		select {
		case p := <-o.posts:
			o.act(&p)
		default:
			return
		}
	}
}

func (o *owner) act(p *post) {
	var d forward.Drop
	switch p.about {
	case aFault:
		o.machine.Fault(p.src, p.frame[:relay.MinData], &o.out)
	case aNeighbour:
		d = o.machine.Answer(o.s.clock.Now(), p.src, p.frame[:p.size], &o.out)
	default:
		frame := p.frame[:]
		if p.call != nil {
			frame = p.call
		}
		d = o.machine.Control(o.s.clock.Now(), p.src, p.local, frame, &o.out)
	}
	if d != forward.Sent {
		o.s.lock.Lock()
		o.s.refused[d]++
		o.s.lock.Unlock()
	}
}

// publish applies what has changed and charges for what was called, with all workers out of the way.
func (o *owner) publish() {
	s, out := o.s, &o.out
	if len(out.Seats)+len(out.Lanes)+len(out.Vacated)+len(out.Neighbours)+len(out.Called) == 0 {
		return
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, v := range out.Vacated {
		s.retire(v)
	}
	for _, b := range s.books {
		b.Apply(out)
	}
	s.table.Apply(out)
	for i := range out.Called {
		c := &out.Called[i]
		if t := &out.Transmits[c.Transmit]; s.books[0].Call(s.clock.Now(), c, len(t.Data)) != forward.Sent {
			t.Data = nil
		}
	}
}

// send sends what the machine has to say, and ends what it wants ended.
func (o *owner) send() {
	o.trains = o.trains[:0]
	for i := range o.out.Transmits {
		t := &o.out.Transmits[i]
		if t.Data == nil {
			continue // its sender may not have it sent
		}
		if t.To.Via == forward.UDP {
			o.trains = append(o.trains, sock.Train{Data: t.Data, Remote: t.To.AddrPort(), Local: address(t.Local)})
		} else if c := o.s.carrier(t.To.Conn); c != nil {
			c.box.push(t.Data)
		}
	}
	if len(o.trains) > 0 && len(o.s.sockets.UDP) > 0 {
		o.s.sockets.UDP[0].Send(o.trains)
	}
	for _, id := range o.out.Visits {
		select {
		case o.s.visits <- id:
		default: // the server ends
			o.machine.Unvisited(o.s.clock.Now(), id)
		}
	}
	for _, id := range o.out.Cut {
		if c := o.s.carrier(id); c != nil {
			c.cut()
		}
	}
}

// address is one in the form of sockets; the zero address is none.
func address(a [16]byte) netip.Addr {
	if a == [16]byte{} {
		return netip.Addr{}
	}
	return netip.AddrFrom16(a).Unmap()
}
