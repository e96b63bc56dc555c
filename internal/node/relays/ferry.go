package relays

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/relay"
)

// Config is what a Ferry is made of.
type Config struct {
	// Credentials are what the node shows, and the root that it trusts. Called for each connection.
	Credentials func() session.Credentials
	// Transport restricts how relays are connected to; zero: Auto.
	Transport stream.Transport
	// Proxy is stream.DialConfig's; nil: what the environment says.
	Proxy func(*url.URL) (*url.URL, error)
	Log   *slog.Logger // nil: silent

	// The outside world; nil: the system's.
	Lookup    func(ctx context.Context, host string) ([]netip.Addr, error)
	DialTCP   func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	ListenUDP func(ctx context.Context, to netip.AddrPort) (net.PacketConn, error)
}

// Passenger is who waits for a connection.
type Passenger interface {
	// Registered says that the relay has answered, and how long that took. It returns where frames go that come; nil: nobody wants them any more.
	Registered(w relay.Welcome, took time.Duration) *tunnel.Carried
	// Failed says that there will be no connection: the relay has refused for a reason, or, without one, is not reached.
	Failed(why relay.Reason)
	// Ended says that the connection is no more.
	Ended()
}

// Ferry makes connections to relays. Its methods may be called from any goroutine.
type Ferry struct {
	cfg   Config
	life  context.Context
	end   context.CancelFunc
	ended sync.WaitGroup
	past  stream.Recent

	mu     sync.Mutex
	closed bool
	relays map[ident.Relay][]string
	conns  map[uint32]*conn
	moves  int // of the host's network
	raced  time.Time
}

// New makes a Ferry; nothing is dialed before Dial.
func New(c Config) *Ferry {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Proxy == nil {
		c.Proxy = stream.ProxyFromEnvironment
	}
	f := &Ferry{cfg: c, relays: make(map[ident.Relay][]string), conns: make(map[uint32]*conn)}
	f.life, f.end = context.WithCancel(context.Background())
	return f
}

// SetRelays says where relays are.
func (f *Ferry) SetRelays(all []control.Relay) {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.relays)
	for _, r := range all {
		f.relays[r.ID] = slices.Clone(r.Addresses)
	}
}

// Moved says that the host's network has changed: what worked before need not work now.
func (f *Ferry) Moved() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.moves++
	f.raced = time.Time{}
}

// Dial connects to a relay and registers there. One call of Registered or Failed follows, and after Registered one of Ended; none once Hangup was called, and
// none if the Ferry is closed. They come from a goroutine of the connection's.
func (f *Ferry) Dial(number uint32, to ident.Relay, who Passenger) {
	f.dial(number, to, aboard{who})
}

// Hangup ends a connection, or gives up making it.
func (f *Ferry) Hangup(number uint32) {
	f.mu.Lock()
	c := f.conns[number]
	delete(f.conns, number)
	f.mu.Unlock()
	if c != nil {
		c.hangup()
	}
}

// Carrier is how frames go out on a connection; nil: there is none.
func (f *Ferry) Carrier(number uint32) tunnel.Carrier {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.conns[number]; c != nil {
		return &c.out
	}
	return nil
}

// Close ends every connection and waits until nothing runs any more. It must not be called where a Passenger's methods would wait for the
// caller.
func (f *Ferry) Close() {
	f.mu.Lock()
	f.closed = true
	all := f.conns
	f.conns = make(map[uint32]*conn)
	f.mu.Unlock()
	f.end()
	for _, c := range all {
		c.hangup()
	}
	f.ended.Wait()
}

func (f *Ferry) dial(number uint32, to ident.Relay, who passenger) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.conns[number] != nil {
		return
	}
	c := &conn{f: f, number: number, relay: to, who: who}
	c.out.init()
	c.life, c.end = context.WithCancel(f.life)
	f.conns[number] = c
	f.ended.Go(c.run)
}

// drop forgets a connection that has ended; it reports whether its passenger is to be told.
func (f *Ferry) drop(c *conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conns[c.number] != c {
		return false
	}
	delete(f.conns, c.number)
	return true
}

// afreshEvery is how long what won a race is believed.
const afreshEvery = 10 * time.Minute

// target is what is known of the way to a relay now.
type target struct {
	addrs      []string
	attachment string
	afresh     bool
}

func (f *Ferry) target(r ident.Relay) target {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := target{addrs: f.relays[r], attachment: strconv.Itoa(f.moves)}
	if now := time.Now(); now.Sub(f.raced) >= afreshEvery {
		t.afresh, f.raced = true, now
	}
	return t
}

// passenger is a Passenger to whom frames can be given.
type passenger interface {
	Registered(w relay.Welcome, took time.Duration) receiver
	Failed(why relay.Reason)
	Ended()
}

// receiver takes frames, and uses their memory while it runs.
type receiver interface{ Frames([][]byte) error }

// aboard makes a passenger of a Passenger.
type aboard struct{ Passenger }

// Registered implements passenger.
func (a aboard) Registered(w relay.Welcome, took time.Duration) receiver {
	if in := a.Passenger.Registered(w, took); in != nil {
		return in
	}
	return nil
}

func (f *Ferry) debug(c *conn, message string, err error) {
	f.cfg.Log.Debug(message, logx.Peer, c.relay, logx.Err, err)
}
