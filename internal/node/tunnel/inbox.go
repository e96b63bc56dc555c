package tunnel

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of what waits for the owner. What finds no room is dropped: notes and wishes are said again with the next batch, handshake
// messages by who sent them.
const (
	maxMessages = 256
	// messagesPerTurn is how many messages are handled before anything else has its turn.
	messagesPerTurn = 64
	maxNotes        = 256
	maxWishes       = 256
	// maxMessage is the size of a control message; larger ones are no handshake of WireGuard's.
	maxMessage = 2048
)

// inbox is what others leave for the owner.
type inbox struct {
	asks     chan func()
	notes    chan Session
	wishes   chan *Peer
	stirred  chan *Peer
	messages chan *message
	free     chan *message
	pressed  atomic.Bool // messages were dropped since the last look

	closed chan struct{}
	once   sync.Once
}

func newInbox() inbox {
	return inbox{
		asks: make(chan func()), notes: make(chan Session, maxNotes), wishes: make(chan *Peer, maxWishes), stirred: make(chan *Peer, maxWishes),
		messages: make(chan *message, maxMessages), free: make(chan *message, maxMessages), closed: make(chan struct{}),
	}
}

// message is a control message on its way to the owner.
type message struct {
	class Class
	from  place
	n     int
	data  [maxMessage]byte
}

// errClosed is what calls get once the tunnel is closed.
var errClosed = errors.New("the tunnel is closed")

// do has the owner call f; it fails only when the tunnel is closed.
func (o *owner) do(f func()) error {
	done := make(chan struct{})
	select {
	case o.asks <- func() { defer close(done); f() }:
		<-done
		return nil
	case <-o.closed:
		return errClosed
	}
}

// note tells of marks in a session. Workers call it.
func (o *owner) note(s Session) {
	select {
	case o.notes <- s:
	default:
	}
}

// waitMost is how long a worker waits for the owner to have a moment.
const waitMost = 2 * time.Millisecond

// insist tells of marks in a session and waits until they have been seen, or the owner has something long to do. Workers call it.
func (o *owner) insist(s Session) (seen bool) {
	late, done := time.NewTimer(waitMost), make(chan struct{})
	defer late.Stop()
	select {
	case o.asks <- func() { defer close(done); o.attend(s) }:
		<-done
		return true
	case <-late.C:
		o.note(s)
	case <-o.closed:
	}
	return false
}

// wish tells that packets wait for a session with a peer. Workers call it.
func (o *owner) wish(p *Peer) {
	select {
	case o.wishes <- p:
	default:
	}
}

// hand gives a control message to the owner. Workers call it.
func (o *owner) hand(c Class, from *place, datagram []byte) {
	switch {
	case o.transports[c] == nil && (!c.guide() || o.guide == nil):
		o.t.drop(Unclaimed, 1)
		return
	case len(datagram) > maxMessage:
		o.t.drop(Malformed, 1)
		return
	}
	var m *message
	select {
	case m = <-o.free:
	default:
		m = new(message)
	}
	m.class, m.from, m.n = c, *from, copy(m.data[:], datagram)
	select {
	case o.messages <- m:
	default:
		o.pressed.Store(true)
		o.t.drop(Crowded, 1)
		o.recycle(m)
	}
}

func (o *owner) recycle(m *message) {
	select {
	case o.free <- m:
	default:
	}
}

// gone returns the spare sockets that are open when nobody opens any more.
func (o *owner) gone() map[uint16]*spare {
	<-o.ended
	return o.spares
}

func (o *owner) stop() { o.once.Do(func() { close(o.closed) }) }
