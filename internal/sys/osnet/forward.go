package osnet

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// Forwarding is what the host is to pass on between a membership's interface and networks that it is in otherwise.
type Forwarding struct {
	Interface  string         // of the TUN device, which exists already
	To         []netip.Prefix // what is behind this machine; empty: nothing is passed on
	Masquerade bool           // what comes from the interface leaves with an address of the host's own, so that nothing behind needs a way back
}

// ErrNoForwarding says that this system cannot pass packets on for others.
var ErrNoForwarding = errors.New("offering routes is possible on Linux only, so far; use a Linux machine as the router")

// check tells what is wrong with a Forwarding.
func (f Forwarding) check() error {
	if f.Interface == "" {
		return errors.New("no interface named")
	}
	if len(f.To) > maxRoutes {
		return fmt.Errorf("%d networks, at most %d", len(f.To), maxRoutes)
	}
	for _, p := range f.To {
		if !p.IsValid() || p.Addr().Is4In6() || p.Addr().Zone() != "" || p != p.Masked() {
			return fmt.Errorf("%q is no network", p)
		}
	}
	return nil
}

// knob is a switch of the kernel's that was turned, and what it was before.
type knob struct {
	Path string `json:"path"` // below /proc/sys
	Was  string `json:"was"`
	On   string `json:"on"`             // what it was turned to
	Mute string `json:"mute,omitempty"` // another switch: once somebody has turned that on, this one is not ours to turn back
	// Where it is: after a boot, or in another namespace, it is another switch.
	Boot      string `json:"boot"`
	Namespace string `json:"namespace"`
}

// serving is what an interface's entry says of forwarding.
type serving struct {
	To         []netip.Prefix `json:"to,omitempty"`
	Masquerade bool           `json:"masquerade,omitempty"`
}

func (s *serving) equal(o *serving) bool {
	if s == nil || o == nil {
		return s == o
	}
	return slices.Equal(s.To, o.To) && s.Masquerade == o.Masquerade
}

// Forward implements Host.
func (s *System) Forward(f Forwarding) error {
	if err := f.check(); err != nil {
		return fmt.Errorf("forward packets: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, up := s.journal.of(f.Interface)
	if len(f.To) == 0 && (!up || e.Serving == nil) {
		return nil
	}
	if !up {
		return fmt.Errorf("forward packets of %s: it is not up", f.Interface)
	}
	var next *serving
	if len(f.To) > 0 {
		next = &serving{To: slices.Clone(f.To), Masquerade: f.Masquerade}
	}
	if err := s.serve(e, next); err != nil {
		return fmt.Errorf("forward packets of %s: %w", f.Interface, err)
	}
	return nil
}

// serve has an interface's entry say something else of forwarding. What outlives the process is in the journal before it is done.
func (s *System) serve(e entry, next *serving) error {
	if next != nil {
		e.Serving = next
		if err := s.journal.put(e); err != nil {
			return fmt.Errorf("keep the journal of network changes: %w; nothing is forwarded without it", err)
		}
		if err := s.turn(); err != nil {
			return err
		}
	}
	if err := masquerade(e.Interface, next); err != nil {
		return err
	}
	if next == nil {
		e.Serving = nil
		s.warn(s.journal.put(e))
	}
	return s.turnBack()
}

// turn turns the switches that are needed now and are not turned yet.
func (s *System) turn() error {
	where, err := here()
	if err != nil {
		return err
	}
	wanted, err := s.needed()
	if err != nil {
		return err
	}
	for _, k := range wanted {
		k.Boot, k.Namespace = where.Boot, where.Namespace
		if is, err := readKnob(k.Path); err != nil {
			return fmt.Errorf("read %s: %w", k.Path, err)
		} else if is == k.On {
			continue
		} else if k.Was == "" {
			k.Was = is
		}
		if err := s.journal.remember(k); err != nil {
			return fmt.Errorf("keep the journal of network changes: %w; nothing is changed without it", err)
		}
		if err := writeKnob(k.Path, k.On); err != nil {
			return fmt.Errorf("set %s: %w", k.Path, err)
		}
	}
	return nil
}

// needed are the switches for everything that the journal's entries forward, in the order in which they are turned.
func (s *System) needed() (all []knob, err error) {
	if s.journal.held != nil {
		all = exitKnobs()
	}
	for _, e := range s.journal.entries {
		if e.Exit != nil {
			all = merge(all, exitKnobs())
		}
		if e.Serving == nil {
			continue
		}
		more, err := knobs(e.Interface, e.Serving.To)
		if err != nil {
			return nil, err
		}
		all = merge(all, more)
	}
	return all, nil
}

// merge adds switches that are not there yet.
func merge(all, more []knob) []knob {
	for _, k := range more {
		if !slices.ContainsFunc(all, func(x knob) bool { return x.Path == k.Path }) {
			all = append(all, k)
		}
	}
	return all
}

// turnBack restores switches that nothing needs any more, last first.
func (s *System) turnBack() error {
	if len(s.journal.knobs) == 0 {
		return nil
	}
	wanted, err := s.needed()
	if err != nil {
		return err
	}
	where, err := here()
	if err != nil {
		return err
	}
	var faults []error
	for _, k := range slices.Backward(slices.Clone(s.journal.knobs)) {
		if slices.ContainsFunc(wanted, func(x knob) bool { return x.Path == k.Path }) {
			continue
		}
		if k.Boot == where.Boot && k.Namespace == where.Namespace {
			if err := restoreKnob(k); err != nil {
				faults = append(faults, fmt.Errorf("restore %s: %w", k.Path, err))
				continue
			}
		}
		s.warn(s.journal.forgetKnob(k.Path))
	}
	return errors.Join(faults...)
}

// restoreKnob turns a switch back, unless somebody else has turned it since, or its interface is gone.
func restoreKnob(k knob) error {
	if is, err := readKnob(k.Path); err != nil || is != k.On {
		return nil
	}
	if k.Mute != "" {
		if is, err := readKnob(k.Mute); err == nil && is == "1" {
			return nil
		}
	}
	return writeKnob(k.Path, k.Was)
}
