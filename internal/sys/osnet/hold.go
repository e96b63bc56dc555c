package osnet

import (
	"fmt"
	"net/netip"
	"slices"
)

// This file is the door while nobody leads through it: a membership that wants an exit comes up, or cannot, or starts anew. The table and the rule are those of
// an exit, with nothing behind them.

// holding is what the journal says of a hold.
type holding struct {
	LAN       bool           `json:"lan,omitempty"`
	Pass      []netip.Prefix `json:"pass,omitempty"` // what goes the way that it went before
	Boot      string         `json:"boot"`
	Namespace string         `json:"namespace"`
}

func (h *holding) equal(o *holding) bool {
	if h == nil || o == nil {
		return h == o
	}
	return h.LAN == o.LAN && slices.Equal(h.Pass, o.Pass) && h.Boot == o.Boot && h.Namespace == o.Namespace
}

// Hold implements Host.
func (s *System) Hold(want *Exit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.hold(want); err != nil {
		return fmt.Errorf("keep traffic from leaving beside an exit: %w", err)
	}
	return nil
}

func (s *System) hold(want *Exit) error {
	if want != nil {
		return s.shut(want.LAN)
	}
	if s.journal.held == nil {
		return nil
	}
	if _, used := s.exits(); !used {
		if err := closeExit(); err != nil {
			return err
		}
	}
	s.warn(s.journal.hold(nil))
	return s.turnBack()
}

// shut holds the door. Where an interface has an exit the kernel stays as it is: it is held when that ends.
func (s *System) shut(lan bool) error {
	where, err := here()
	if err != nil {
		return err
	}
	pass, err := s.passes("", lan)
	if err != nil {
		return err
	}
	was := s.journal.held
	err = s.journal.hold(&holding{LAN: lan, Pass: pass, Boot: where.Boot, Namespace: where.Namespace})
	if err != nil && was == nil {
		s.warn(s.journal.hold(nil))
		return fmt.Errorf("keep the journal of network changes: %w; nothing is held without it", err)
	}
	s.warn(err) // the disk knows of a hold, which is enough to undo it
	if _, used := s.exits(); used {
		return nil
	}
	if err = s.turn(); err == nil {
		err = s.endExit()
	}
	if err == nil || was != nil {
		return err
	}
	s.warn(closeExit())
	s.warn(s.journal.hold(nil))
	s.warn(s.turnBack())
	return err
}

// endExit has nothing leave any more if the door is held, and all as without an exit if it is not.
func (s *System) endExit() error {
	h := s.journal.held
	if h == nil {
		return closeExit()
	}
	return openExit("", exiting{LAN: h.LAN, Pass: h.Pass})
}

// exits is the entry whose interface has the exit.
func (s *System) exits() (entry, bool) {
	for _, e := range s.journal.entries {
		if e.Exit != nil {
			return e, true
		}
	}
	return entry{}, false
}
