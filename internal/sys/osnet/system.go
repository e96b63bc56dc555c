package osnet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/sys/disk"
)

// System is the real operating system as a Host.
type System struct {
	log *slog.Logger

	mu      sync.Mutex // one change of the host at a time
	journal *journal
}

var _ Host = (*System)(nil)

// Options of New.
type Options struct {
	State string       // folder of the journal; empty keeps none, for tests and read-only use
	Log   *slog.Logger // nil: silent
}

// New returns the operating system. It reads and touches nothing; call Cleanup before the first Up.
func New(o Options) *System {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &System{log: o.Log, journal: newJournal(o.State)}
}

// Cleanup removes what an earlier process with the same state folder left behind on the host, if anything, and nothing else. The door that such a process left
// shut stays so at every moment if it is to be held (see Host.Hold); else it is opened. The caller holds the state folder's lock. A damaged journal is reported in
// the log and given up: what it named went with the process, but for the door.
func (s *System) Cleanup(hold *Exit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.journal.load(); errors.Is(err, disk.ErrDamaged) {
		s.log.Warn("the journal of network changes is damaged; starting a new one", logx.Err, err)
		if err := disk.Remove(s.journal.path); err != nil {
			return err
		}
		if hold == nil {
			return closeExit()
		}
	} else if err != nil {
		return err
	}
	faults := []error{s.takeOver(hold)}
	for _, e := range append([]entry(nil), s.journal.entries...) {
		if err := s.removeLeftover(e); err != nil {
			faults = append(faults, fmt.Errorf("remove the interface %s left by an earlier run: %w", e.Interface, err))
			continue
		}
		s.forget(e.Interface)
	}
	if s.journal.held != nil { // nothing leads through the door any more
		faults = append(faults, s.shut(s.journal.held.LAN))
	}
	return errors.Join(append(faults, s.turnBack())...)
}

// takeOver has the door held from now on, or no more.
func (s *System) takeOver(hold *Exit) error {
	if h := s.journal.held; h != nil {
		if where, err := here(); err != nil {
			return err
		} else if h.Boot != where.Boot || h.Namespace != where.Namespace { // it went with that boot
			s.warn(s.journal.hold(nil))
		}
	}
	if err := s.hold(hold); err != nil {
		return fmt.Errorf("keep traffic from leaving beside an exit: %w", err)
	}
	return nil
}

// removeLeftover removes the interface of a journal entry if it is still that very interface.
func (s *System) removeLeftover(e entry) error {
	if err := s.stopServing(e); err != nil {
		return err
	}
	id, err := identify(e.Interface)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotTUN) || err == nil && id != e.Identity {
		return nil
	} else if err != nil {
		return err
	}
	s.log.Info("removing what an earlier run left behind", logx.Interface, e.Interface)
	return destroy(e)
}

// Up implements Host.
func (s *System) Up(want Config) error {
	if err := want.check(); err != nil {
		return fmt.Errorf("set up the network: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id, err := identify(want.Interface)
	if err != nil {
		return fmt.Errorf("set up the interface %s: %w", want.Interface, err)
	}
	next := entry{Interface: want.Interface, Identity: id, Addresses: want.Addresses, Routes: want.routes()}
	old, known := s.journal.of(want.Interface)
	if !known || old.Identity != id {
		if err := s.stopServing(old); err != nil {
			return fmt.Errorf("set up the interface %s: %w", want.Interface, err)
		}
		old, known = entry{Interface: want.Interface, Identity: id}, false
	}
	next.Serving, next.Exit = old.Serving, old.Exit
	s.note(entry{want.Interface, id, union(old.Addresses, next.Addresses), union(old.Routes, next.Routes), old.Serving, old.Exit})
	if err := configure(old, next, want.MTU, s.log); err != nil {
		if !known {
			err = errors.Join(err, s.undo(next))
		}
		return fmt.Errorf("set up the interface %s: %w", want.Interface, err)
	}
	s.note(next)
	if next, err = s.exit(next, want.Exit); err != nil {
		return fmt.Errorf("send other traffic through the interface %s: %w", want.Interface, err)
	}
	return s.repass(want.Interface)
}

// Down implements Host.
func (s *System) Down(iface string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.journal.of(iface)
	if !ok {
		return nil
	}
	if err := errors.Join(s.undo(e), s.repass(iface), s.turnBack()); err != nil {
		return fmt.Errorf("take down the interface %s: %w", iface, err)
	}
	return nil
}

// undo removes what an entry says from the interface, if that is still the same, and then the entry.
func (s *System) undo(e entry) error {
	if err := s.stopServing(e); err != nil {
		return err
	}
	id, err := identify(e.Interface)
	gone := errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotTUN)
	if err != nil && !gone {
		return err
	}
	if !gone && id == e.Identity {
		if err := deconfigure(e); err != nil {
			return err
		}
	}
	s.forget(e.Interface)
	return nil
}

// stopServing removes what does not go with the interface, if it is of this boot and namespace: the table of an entry that forwards, the rules of one with an
// exit.
func (s *System) stopServing(e entry) error {
	if e.Serving == nil && e.Exit == nil {
		return nil
	}
	where, err := here()
	if err != nil || e.Identity.Boot != where.Boot || e.Identity.Namespace != where.Namespace {
		return err
	}
	if e.Exit != nil {
		err = s.endExit()
	}
	if e.Serving != nil {
		err = errors.Join(err, masquerade(e.Interface, nil))
	}
	return err
}

// note and forget keep the journal; see the package comment for why an error is only logged.
func (s *System) note(e entry) { s.warn(s.journal.put(e)) }

func (s *System) forget(iface string) { s.warn(s.journal.drop(iface)) }

func (s *System) warn(err error) {
	if err != nil {
		s.log.Warn("cannot keep the journal of network changes", logx.Err, err)
	}
}

// Clashes implements Host.
func (s *System) Clashes(ranges []netip.Prefix, except ...string) ([]Clash, error) {
	f := newClashFinder(ranges, except)
	if err := hostRanges(f.offer); err != nil {
		return nil, fmt.Errorf("list the host's addresses and routes: %w", err)
	}
	return f.sorted(), nil
}

// LocalAddrs implements Host.
func (s *System) LocalAddrs(except ...string) ([]netip.Addr, error) {
	all, err := localCandidates()
	if err != nil {
		return nil, fmt.Errorf("list the host's addresses: %w", err)
	}
	return rank(all, except), nil
}

// LocalNetworks implements Host.
func (s *System) LocalNetworks(except ...string) ([]netip.Prefix, error) {
	all, err := localCandidates()
	if err != nil {
		return nil, fmt.Errorf("list the host's networks: %w", err)
	}
	return networks(all, except), nil
}

// Changes implements Host.
func (s *System) Changes(ctx context.Context) (<-chan struct{}, error) {
	w, err := watch()
	if err != nil {
		return nil, fmt.Errorf("watch the host's network: %w", err)
	}
	return settle(ctx, w, s.log), nil
}

// Sleeps implements Host.
func (s *System) Sleeps(ctx context.Context) <-chan time.Duration { return tellSleeps(ctx, openBell()) }

// Ping implements Host.
func (s *System) Ping(ctx context.Context, iface string, to netip.Addr, payload int) (time.Duration, error) {
	rtt, err := ping(ctx, iface, to, payload)
	if err != nil {
		return 0, fmt.Errorf("ping %v through %s: %w", to, iface, err)
	}
	return rtt, nil
}

// errNotTUN is what identify says of an interface that was not made by sys/tun.
var errNotTUN = errors.New("is not a TUN device")
