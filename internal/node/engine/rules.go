package engine

import (
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/core/netmap"
	"github.com/cvlan/cvlan/internal/node/flow"
	"github.com/cvlan/cvlan/policy/compile"
	"github.com/cvlan/cvlan/policy/filter"
)

// longestWindow is after how long the time of day is looked at again, because it may have been set.
const longestWindow = time.Minute

// rules are the filter of a membership and what it is made of. Run's goroutine owns them, but for the table, which everybody may ask.
type rules struct {
	table   *flow.Table
	name    uint64 // of the charter that the table applies; 0: none
	charter *compile.Charter
	plan    *compile.Plan
	flips   time.Time // when a window opens or closes, by the controller's clock; zero: never
	again   time.Time // when to look at that; zero: never
}

// checkRules reports what is wrong with rules that the controller sends.
func checkRules(b []byte) error {
	_, err := compile.DecodeCharter(b, time.LoadLocation)
	return err
}

// rule puts the map's rules in force, for the peers that the map has.
func (e *Engine) rule() {
	r := e.table.Rules()
	if r.Name == 0 {
		return
	}
	if r.Name != e.rules.name {
		c, err := compile.DecodeCharter(r.Bytes, time.LoadLocation)
		if err != nil {
			e.log.Error("the controller's rules cannot be used; those before stay in force", logx.Err, err)
			return
		}
		e.rules.charter = c
	}
	self, _ := e.table.Self()
	own := compile.Other{Addrs: addrs(self.Record.Address4, self.Record.Address6), User: self.User, Routes: self.Routes}
	e.rules.plan = e.rules.charter.Plan(e.rules.charter.Number, own, e.others)
	e.respeak(true)
	if err := e.enforce(); err != nil {
		e.log.Error("the controller's rules cannot be used; those before stay in force", logx.Err, err)
		return
	}
	e.respeak(false)
	e.rules.name = r.Name
}

// enforce makes the filter that is in force now.
func (e *Engine) enforce() error {
	now := e.clock.Now()
	spec, flips := e.rules.plan.At(now)
	if err := spec.Validate(); err != nil {
		return err
	}
	set, err := filter.New(spec)
	if err != nil {
		return err
	}
	e.rules.table.Swap(set)
	if e.dev != nil {
		e.dev.tunnel.Review()
	}
	e.rules.flips, e.rules.again = flips, time.Time{}
	e.rewind()
	return nil
}

// rewind sets when to look at the time of day again.
func (e *Engine) rewind() {
	if !e.rules.flips.IsZero() {
		left := e.rules.flips.Sub(e.clock.Now())
		e.rules.again = time.Now().Add(max(0, min(left, longestWindow)))
	}
}

// turn lets windows open and close.
func (e *Engine) turn() {
	if e.clock.Now().Before(e.rules.flips) {
		e.rewind()
		return
	}
	if err := e.enforce(); err != nil { // it could not be, for it could be before
		e.log.Error("the rules of this hour cannot be used", logx.Err, err)
		e.rules.again = time.Now().Add(longestWindow)
	}
}

// others ranges over everybody that the map shows, as policy knows them.
func (e *Engine) others(yield func(compile.Other) bool) {
	for p := range e.table.Peers() {
		if !yield(compile.Other{Addrs: addrs(p.Record.Address4, p.Record.Address6), Class: p.Class, User: p.User, Routes: p.Routes()}) {
			return
		}
	}
	for p := range e.table.Plains() {
		if !yield(compile.Other{Addrs: addrs(p.Address4, p.Address6), Class: p.Class}) {
			return
		}
	}
}

// addrs are those of both that there are.
func addrs(both ...netip.Addr) (all []netip.Addr) {
	for _, a := range both {
		if a.IsValid() {
			all = append(all, a)
		}
	}
	return all
}

// ofRules reports whether an event concerns the filter.
func ofRules(v netmap.Event) bool {
	switch v.Kind {
	case netmap.RulesChanged, netmap.SelfChanged:
		return true
	case netmap.SoftChanged:
		return false
	}
	return v.Peer != nil || v.Was != nil || v.Plain != nil || v.WasPlain != nil
}
