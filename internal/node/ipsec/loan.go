package ipsec

import (
	"errors"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/esp"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/xfrm"
)

// This file is the kernel's books: what is lent, how it comes back, and what was carried meanwhile.

// loan is a pair of which something is lent.
type loan struct {
	peer    *tunnel.Peer
	in, out *borrowed // nil: it is not lent
}

// borrowed is one direction of a loan.
type borrowed struct {
	xfrm.SA
	since mono.Time
	was   xfrm.Use // when it was asked for last
}

// returnOut takes sealing back, if it is lent.
func (k *kernel) returnOut(now mono.Time, pair *esp.Pair, l *loan) {
	if l == nil || l.out == nil {
		return
	}
	b := l.out
	l.out = nil
	u, err := k.Remove(b.SA)
	k.settle(pair, l)
	if err != nil {
		k.lost(now, pair, l, err)
		return
	}
	k.count(now, pair, l.peer, b, u, nil, xfrm.Use{})
	pair.ReturnSealing(u.Sent)
}

// returnIn takes opening back, if it is lent.
func (k *kernel) returnIn(now mono.Time, pair *esp.Pair, l *loan) {
	if l == nil || l.in == nil {
		return
	}
	b := l.in
	l.in = nil
	err := k.take() // first, so that nothing comes to an association that is gone
	u, gone := k.Remove(b.SA)
	k.settle(pair, l)
	if err = errors.Join(err, gone); err != nil {
		k.lost(now, pair, l, err)
		return
	}
	k.count(now, pair, l.peer, nil, xfrm.Use{}, b, u)
	pair.ReturnOpening(u.Received)
}

// lost ends a pair of which nobody knows any more which numbers were used. The next packet makes another.
func (k *kernel) lost(now mono.Time, pair *esp.Pair, l *loan, err error) {
	k.failed(l.peer, err)
	if k.t.machine.Pair(pair.Local()) != pair {
		return
	}
	k.t.keyer.Expired(now, l.peer, pair.Local())
	k.t.machine.Delete(now, pair.Local(), &k.t.esp)
}

// retire forgets a pair of which nothing is used any more.
func (k *kernel) retire(now mono.Time, pair *esp.Pair) {
	delete(k.keys, pair.Local())
	l := k.loans[pair]
	if l == nil {
		return
	}
	if g := k.guests[l.peer]; g != nil && g.led == pair {
		k.unlead(now, l.peer, g)
	}
	k.returnIn(now, pair, l)
	k.returnOut(now, pair, l)
}

// ended takes back the sealing of a pair that was deleted. What comes for it meanwhile is opened.
func (k *kernel) ended(now mono.Time, s esp.SPI) {
	pair := k.t.machine.Pair(s)
	l := k.loans[pair]
	if l == nil || l.out == nil {
		return
	}
	g := k.guests[l.peer]
	if c := k.t.machine.Current(l.peer.Key()); g != nil && g.led == pair && (c == nil || c == pair) { // else another takes over in a moment
		k.unlead(now, l.peer, g)
	}
}

// strayed takes a pair's opening back when its packets come where the kernel does not see them.
func (k *kernel) strayed(now mono.Time, pair *esp.Pair) {
	l := k.loans[pair]
	to, ok := pair.Strayed()
	if !ok || l == nil || l.in == nil || to == l.in.To.Addr() && now.Sub(l.in.since) < settling {
		return
	}
	if g := k.guests[l.peer]; g != nil {
		g.shun = now.Add(shyness)
	}
	for other, l2 := range k.loans {
		if l2.peer == l.peer {
			k.returnIn(now, other, l2)
		}
	}
}

// lend is the book's page of a pair.
func (k *kernel) lend(pair *esp.Pair, p *tunnel.Peer) *loan {
	if k.loans[pair] == nil {
		k.loans[pair] = &loan{peer: p}
	}
	return k.loans[pair]
}

// settle closes the page of a pair of which nothing is lent any more.
func (k *kernel) settle(pair *esp.Pair, l *loan) {
	if l.in == nil && l.out == nil {
		delete(k.loans, pair)
	}
}

func (k *kernel) taken() (n int) {
	for _, l := range k.loans {
		if l.in != nil {
			n++
		}
	}
	return n
}

// take tells the kernel whose datagrams are its own.
func (k *kernel) take() error {
	var all []sock.Taking
	for _, l := range k.loans {
		if l.in != nil {
			all = append(all, sock.Taking{SPI: l.in.SPI, To: l.in.To.Addr()})
		}
	}
	return k.Take(all)
}

// wake has look called in time.
func (k *kernel) wake(now mono.Time) {
	k.lookAt = mono.Earlier(k.lookAt, now.Add(lookEvery))
}

// look asks what the kernel has carried, and reviews all.
func (k *kernel) look(now mono.Time) {
	busy := false
	for pair, l := range k.loans {
		busy = k.ask(now, pair, l) || busy
	}
	for _, p := range k.t.peers {
		k.review(now, p)
	}
	if k.lookAt = now.Add(restEvery); busy {
		k.lookAt = now.Add(lookEvery)
	}
}

func (k *kernel) ask(now mono.Time, pair *esp.Pair, l *loan) (busy bool) {
	var in, out xfrm.Use
	var err error
	if l.out != nil {
		out, err = k.Use(l.out.SA)
	}
	if l.in != nil && err == nil {
		in, err = k.Use(l.in.SA)
	}
	if err != nil { // somebody has removed it
		k.retire(now, pair)
		return true
	}
	return k.count(now, pair, l.peer, l.out, out, l.in, in)
}

// count tells pair and tunnel what was carried since it was asked for before.
func (k *kernel) count(now mono.Time, pair *esp.Pair, p *tunnel.Peer, out *borrowed, sent xfrm.Use, in *borrowed, received xfrm.Use) bool {
	e := tunnel.Event{Kind: tunnel.Bypassed, Peer: p}
	if out != nil {
		e.Sent = out.more(sent)
	}
	if in != nil {
		e.Received = in.more(received)
	}
	if pair.Carried(now, sent.Sent, received.Received, e.Sent.Bytes, e.Received.Bytes) {
		k.t.machine.Attend(now, pair, &k.t.esp)
	}
	if e.Sent.Packets == 0 && e.Received.Packets == 0 {
		return false
	}
	k.t.out.Events = append(k.t.out.Events, e)
	return true
}

// more is what was carried since it was asked for before.
func (b *borrowed) more(u xfrm.Use) tunnel.Amount {
	a := tunnel.Amount{Packets: u.Packets - b.was.Packets, Bytes: u.Bytes - b.was.Bytes}
	b.was = u
	return a
}
