package hostdns

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/cvlan/cvlan/internal/core/resolvconf"
	"github.com/cvlan/cvlan/internal/sys/disk"
)

// Works reports whether programs of this system can be had to ask us.
const Works = true

// Options of New.
type Options struct {
	State string       // folder of the journal; "": files stay as they are
	Log   *slog.Logger // nil: silent
	Path  string       // of resolv.conf; "": the system's
	// Bus connects to the system's D-Bus; nil: as the environment says.
	Bus func(context.Context) (*dbus.Conn, error)
}

// resolvConf is where programs look.
const resolvConf = "/etc/resolv.conf"

// System is the real operating system as a Host.
type System struct {
	o Options

	mu      sync.Mutex
	journal journal
	bus     *dbus.Conn // nil: not connected
	linked  []string   // interfaces that systemd-resolved was told of
}

var _ Host = (*System)(nil)

// New returns the operating system. It reads and touches nothing; call Cleanup before the first Set.
func New(o Options) *System {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Path == "" {
		o.Path = resolvConf
	}
	if o.Bus == nil {
		o.Bus = func(ctx context.Context) (*dbus.Conn, error) { return dbus.ConnectSystemBus(dbus.WithContext(ctx)) }
	}
	return &System{o: o, journal: newJournal(o.State)}
}

// Look implements Host.
func (s *System) Look(w Want) (State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := open(s.o.Path)
	if err != nil {
		return State{}, err
	}
	state := s.judge(f)
	if len(w.Links) == 0 {
		state.InPlace = len(s.journal.files) == 0 && len(s.linked) == 0
		return state, nil
	}
	if err := refuse(f, state, w); err != nil {
		return state, err
	}
	if state.Manager == Resolved {
		state.InPlace, err = s.linksInPlace(w)
		return state, err
	}
	state.InPlace = f.content == resolvconf.With(f.content, w.Server.Addr(), w.search(), hostname())
	return state, nil
}

// Set implements Host.
func (s *System) Set(w Want) (State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := open(s.o.Path)
	if err != nil {
		return State{}, err
	}
	state := s.judge(f)
	if len(w.Links) == 0 {
		err := errors.Join(s.unlink(nil), s.restore(""))
		state.InPlace, state.Upstreams = err == nil, nil
		return state, err
	}
	if err := refuse(f, state, w); err != nil {
		return state, errors.Join(err, s.unlink(nil), s.restore(""))
	}
	if state.Manager == Resolved {
		err = errors.Join(s.restore(""), s.link(w))
	} else {
		err = errors.Join(s.unlink(nil), s.restore(f.path), s.write(f, w))
	}
	state.InPlace = err == nil
	return state, err
}

// Cleanup implements Host. A damaged journal names nothing: the file that programs look at is cleaned then.
func (s *System) Cleanup() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.journal.load(); errors.Is(err, disk.ErrDamaged) {
		f, err := open(s.o.Path)
		if err != nil {
			return err
		}
		s.journal.files = []touched{{Path: f.path}}
	} else if err != nil {
		return err
	}
	return s.restore("")
}

// judge says who decides on this host.
func (s *System) judge(f file) State {
	there := resolvconf.Parse(f.content)
	if len(there.Servers) > 0 && !slices.ContainsFunc(there.Servers, func(a netip.Addr) bool { return !isStub(a) }) {
		return State{Manager: Resolved, Path: f.path}
	}
	return State{Manager: File, Path: f.path, Upstreams: there.Servers}
}

// isStub reports whether an address is one at which systemd-resolved answers.
func isStub(a netip.Addr) bool {
	return a == netip.AddrFrom4([4]byte{127, 0, 0, 53}) || a == netip.AddrFrom4([4]byte{127, 0, 0, 54})
}

// uplinks is what systemd-resolved writes for programs that are to ask the network's servers themselves.
const uplinks = "/run/systemd/resolve/resolv.conf"

// refuse tells what makes a host one that is left alone.
func refuse(f file, state State, w Want) error {
	switch {
	case len(w.Links) > MaxLinks:
		return fmt.Errorf("%d networks with names; at most %d", len(w.Links), MaxLinks)
	case state.Manager == Resolved:
		return nil
	case f.path == uplinks:
		return &Fault{"names-past-resolved", fmt.Sprintf("%s leads past systemd-resolved, to the servers of the network", resolvConf),
			"have programs ask it: ln -sf ../run/systemd/resolve/stub-resolv.conf " + resolvConf}
	case w.Server.Port() != 53:
		return &Fault{"names-port-taken", fmt.Sprintf("another DNS server of this machine has port 53, and ours answers at %s, which %s cannot say", w.Server, resolvConf),
			fmt.Sprintf("have that one pass on cvlan.internal, in dnsmasq: server=/cvlan.internal/%s#%d", w.Server.Addr(), w.Server.Port())}
	case len(f.content) > resolvconf.MaxSize:
		return &Fault{"names-file-unusable", f.path + " is not a resolv.conf: it is too long", "look at it"}
	}
	return nil
}

func hostname() string {
	h, _ := os.Hostname()
	return h
}

// busTimeout is how long a program on the bus may take to answer.
const busTimeout = 5 * time.Second
