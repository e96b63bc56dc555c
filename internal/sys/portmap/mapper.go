package portmap

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/base/mono"
	core "github.com/cvlan/cvlan/internal/core/portmap"
)

// Config says what a Mapper is to do.
type Config struct {
	Port    uint16        // our UDP port; 0: nothing is mapped, and Run ends when it is known which protocols there are
	Log     *slog.Logger  // nil: nothing is logged
	Changed func(Mapping) // called by Run when the mapping has come, changed or gone; may be nil
}

// Mapping is a port of the gateway that leads to ours. The zero Mapping is none.
type Mapping struct {
	External netip.AddrPort
	Protocol core.Protocol
	Inner    bool // the gateway's outside address is private or shared: there is another NAT
}

// State is what is known of the gateway.
type State struct {
	Mapping  Mapping
	Found    []core.Protocol // that it speaks
	Outside  netip.Addr      // its outside address, as it says; invalid: it does not
	Complete bool            // all protocols have been tried
}

const (
	lookAgain   = time.Minute            // at the default route, should the system not have told of a change
	releaseWait = 700 * time.Millisecond // for the gateway to confirm that a mapping is released
	queued      = 16
	maxErrors   = 16 // in a row, until a socket is given up
)

// Mapper keeps one mapping. Its methods may be called from any goroutine.
type Mapper struct {
	host  Host
	cfg   Config
	log   *slog.Logger
	again chan struct{}
	state atomic.Pointer[State]
}

// New makes a Mapper. It does nothing before Run.
func New(host Host, cfg Config) *Mapper {
	m := &Mapper{host: host, cfg: cfg, log: cfg.Log, again: make(chan struct{}, 1)}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	m.state.Store(&State{})
	return m
}

// Again tells that the machine's network has changed, or that its outside address seems to have.
func (m *Mapper) Again() {
	select {
	case m.again <- struct{}{}:
	default:
	}
}

// State is what is known now.
func (m *Mapper) State() State { return *m.state.Load() }

// Run works until ctx ends, then releases the mapping, which takes at most a second.
func (m *Mapper) Run(ctx context.Context) {
	r := &run{Mapper: m, clock: mono.NewClock(), in: make(chan datagram, queued), done: make(chan finished, 1)}
	r.client = core.New(core.Config{Port: m.cfg.Port}, rand.Reader)
	defer r.tasks.Wait()
	defer r.leave()
	r.join()
	r.loop(ctx.Done(), nil)
	if m.cfg.Port == 0 {
		return
	}
	r.client.Close(r.clock.Now(), &r.out)
	r.flush()
	patience := time.NewTimer(releaseWait)
	defer patience.Stop()
	r.loop(nil, patience.C)
}

// Look finds out which protocols the gateway speaks, and maps nothing. It takes at most two seconds, or as long as ctx lasts.
func Look(ctx context.Context, host Host) State {
	m := New(host, Config{})
	m.Run(ctx)
	return m.State()
}

// run is what Run owns.
type run struct {
	*Mapper
	clock  mono.Clock
	client *core.Client
	out    core.Out
	link   Link
	conns  []Conn
	device *device
	in     chan datagram
	done   chan finished // of the one job
	search chan []byte   // what answers the search that is under way; nil: none is
	end    context.CancelFunc
	tasks  sync.WaitGroup
}

type datagram struct {
	from netip.AddrPort
	data []byte
}

// over reports whether there is nothing left to do.
func (r *run) over() bool {
	return r.client.Closed() || r.cfg.Port == 0 && (r.State().Complete || !r.link.Gateway.IsValid())
}

// loop serves the machine until one of the channels says otherwise.
func (r *run) loop(stop <-chan struct{}, late <-chan time.Time) {
	look := time.NewTicker(lookAgain)
	defer look.Stop()
	wake := time.NewTimer(time.Hour)
	defer wake.Stop()
	for !r.over() {
		if at := r.client.Deadline(); at.IsNever() {
			wake.Stop()
		} else {
			wake.Reset(r.clock.Until(at))
		}
		select {
		case <-stop:
			return
		case <-late:
			return
		case <-r.again:
			r.join()
		case <-look.C:
			if l, err := r.host.Link(); err == nil && l != r.link {
				r.join()
			}
		case d := <-r.in:
			r.heard(d)
		case f := <-r.done:
			r.finish(f)
		case <-wake.C:
			r.client.Tick(r.clock.Now(), &r.out)
		}
		r.flush()
	}
}

// join finds out where the machine stands, and tells the core.
func (r *run) join() {
	l, err := r.host.Link()
	if err != nil {
		r.log.Debug("no port mapping without a gateway", logx.Err, err)
		l = Link{}
	}
	if l != r.link || len(r.conns) == 0 {
		r.leave()
		r.link = l
		if l.Gateway.IsValid() && !r.open() {
			l = Link{}
			r.link = l
		}
	}
	if err := r.client.SetNetwork(r.clock.Now(), core.Network{Gateway: l.Gateway, Local: l.Local}, &r.out); err != nil {
		r.log.Warn("port mapping rests", logx.Err, err)
	}
	r.flush()
}

// open opens the sockets of the link.
func (r *run) open() bool {
	c, err := r.host.Open(r.link)
	if err != nil {
		r.log.Debug("no socket toward the gateway", logx.Err, err)
		return false
	}
	r.read(c)
	if r.cfg.Port == 0 {
		return true
	}
	if a, err := r.host.Announcements(r.link); err == nil {
		r.read(a)
	} else {
		r.log.Debug("the gateway's announcements are not heard", logx.Err, err)
	}
	return true
}

// read passes on what arrives at a socket until it is closed.
func (r *run) read(c Conn) {
	r.conns = append(r.conns, c)
	gateway := r.link.Gateway
	r.tasks.Go(func() {
		b := make([]byte, maxDatagram)
		for errs := 0; errs < maxErrors; {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				errs++ // a datagram that was refused, or the end
				if errors.Is(err, net.ErrClosed) {
					return
				}
				continue
			}
			errs = 0
			if from.Addr() != gateway {
				continue
			}
			select {
			case r.in <- datagram{from, slices.Clone(b[:n])}:
			default:
			}
		}
	})
}

// leave closes the sockets and ends the job that is under way.
func (r *run) leave() {
	for _, c := range r.conns {
		c.Close()
	}
	r.conns, r.device = nil, nil
	if r.end != nil {
		r.end()
	}
}

// heard sorts what the gateway says.
func (r *run) heard(d datagram) {
	if r.client.Datagram(r.clock.Now(), d.from, d.data, &r.out) || r.search == nil {
		return
	}
	select {
	case r.search <- d.data:
	default:
	}
}

// flush does what the core has decided.
func (r *run) flush() {
	for len(r.out.Transmits)+len(r.out.Jobs)+len(r.out.Events) > 0 {
		for _, x := range r.out.Transmits {
			if len(r.conns) > 0 {
				_ = r.conns[0].WriteTo(x.Data, netip.AddrPortFrom(r.link.Gateway, core.Port)) // it is repeated
			}
		}
		for _, j := range r.out.Jobs {
			r.begin(j)
		}
		events := slices.Clone(r.out.Events)
		r.out.Reset()
		for _, e := range events {
			r.tell(e)
		}
	}
	r.publish(func(s *State) { s.Outside = r.client.Outside() })
}

// tell publishes and logs an event.
func (r *run) tell(e core.Event) {
	now := Mapping{}
	switch e.Kind {
	case core.Found, core.Looked:
		r.publish(func(s *State) {
			s.Complete = s.Complete || e.Kind == core.Looked
			s.Found = nil
			for _, p := range []core.Protocol{core.PCP, core.NATPMP, core.UPnP} {
				if r.client.Found(p) {
					s.Found = append(s.Found, p)
				}
			}
		})
		return
	case core.Mapped:
		now = Mapping{External: e.External, Protocol: e.Protocol, Inner: e.Inner}
		r.log.Info("the gateway maps a port to us", "protocol", e.Protocol.String(), "behind_another_nat", e.Inner)
	default:
		r.log.Info("the gateway's mapping is gone", "protocol", e.Protocol.String())
	}
	r.publish(func(s *State) { s.Mapping = now })
	if r.cfg.Changed != nil {
		r.cfg.Changed(now)
	}
}

func (r *run) publish(change func(*State)) {
	s := r.State()
	change(&s)
	r.state.Store(&s)
}
