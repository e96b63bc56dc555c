package portmap

import (
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// Config says what a Client is to map.
type Config struct {
	// Port is our UDP port. 0: nothing is mapped, the Client only looks which protocols there are.
	Port uint16
}

// Network is where this machine stands. The zero Network: nowhere.
type Network struct {
	Gateway netip.Addr // the default route's
	Local   netip.Addr // ours toward it, of the same family
}

// Kind says what an Event tells.
type Kind uint8

// The kinds.
const (
	Mapped Kind = iota + 1 // External leads to our port from now on; told anew when it changes, not when it is renewed
	Lost                   // External does not any more
	Found                  // the router speaks Protocol
	Looked                 // the search for protocols is over; Client.Found is complete
)

// Event is something that the owner may want to act upon or log.
type Event struct {
	Kind     Kind
	Protocol Protocol
	External netip.AddrPort
	Inner    bool // External is behind another NAT
}

// Transmit is a message for the gateway's Port.
type Transmit struct{ Data []byte }

// JobKind is what a Job is about.
type JobKind uint8

// The kinds of jobs.
const (
	Search    JobKind = iota + 1 // find a UPnP gateway device, and its outside address
	MapUPnP                      // let External lead to our port
	UnmapUPnP                    // release it
)

// Job is work with the UPnP gateway device that the owner does aside, and tells the end of with Finished. The next job comes only then.
type Job struct {
	Kind     JobKind
	External uint16
	Lifetime time.Duration
}

// Codes of a JobResult that matter.
const (
	JobDone     = 0
	JobFailed   = 1
	JobConflict = 718 // ConflictInMappingEntry: somebody else has the port
)

// JobResult is what became of a Job.
type JobResult struct {
	Kind     JobKind
	Code     int        // JobDone, or why not
	External netip.Addr // the outside address, if the device tells it
}

// Out is what a call decided. The caller owns and reuses it; calls append. Data is valid until Reset.
type Out struct {
	Transmits []Transmit
	Jobs      []Job
	Events    []Event
}

// Reset empties an Out for the next call.
func (o *Out) Reset() { o.Transmits, o.Jobs, o.Events = o.Transmits[:0], o.Jobs[:0], o.Events[:0] }

// Times: see the package comment.
const (
	askFirst     = 250 * time.Millisecond
	askTimes     = 3
	patience     = 300 * time.Millisecond // how long NAT-PMP waits for PCP
	patienceUPnP = time.Second            // how long UPnP waits for both
	lifetime     = 2 * time.Hour
	maxLifetime  = 24 * time.Hour
	minRenewal   = 4 * time.Second
	checkEvery   = 2 * time.Minute
	remakeUPnP   = 10 * time.Minute
	firstRest    = 30 * time.Second
	lastRest     = 10 * time.Minute
	minLifetime  = 10 * time.Second
	lapseEvery   = 10 * time.Second // how often an epoch that makes no sense is acted upon
	maxConflicts = 4
)

type phase uint8

const (
	idle    phase = iota // no gateway
	looking              // which protocols are there?
	mapping              // one of the slower protocols is asked to map
	holding              // there is a mapping
	resting              // nothing works
	closing
)

// verdict is what is known of a protocol.
type verdict uint8

const (
	unknown verdict = iota
	present
	absent
	failing // present, but it does not map
)

// Client looks after one mapping. It is not safe for concurrent use.
type Client struct {
	cfg     Config
	rnd     io.Reader
	network Network
	phase   phase
	by      Protocol  // mapping: by which
	began   mono.Time // looking
	wake    mono.Time // resting: until then
	rests   int       // since there was a mapping
	looked  bool
	known   [UPnP + 1]verdict
	ask     [UPnP]question // by protocol; UPnP asks by jobs
	epochs  [UPnP]epoch
	lapse   mono.Time // last time that an epoch made no sense
	nonce   Nonce
	outside netip.Addr // as NAT-PMP or UPnP says
	job     JobKind    // under way; 0: none
	stale   bool       // the job began where the machine was before
	port    uint16     // that UPnP is asked for
	clashes int
	held    held
}

// question is one to the gateway that waits for its answer.
type question struct {
	request Request
	sent    int
	next    mono.Time // repeat, or give up; Never: there is none
}

// held is the mapping that there is.
type held struct {
	protocol          Protocol
	external          netip.AddrPort
	until, renew, see mono.Time // it ends, is to be renewed, and the router is to be asked for its epoch
}

// New makes a Client. rnd gives the nonces and must be hard to guess.
func New(cfg Config, rnd io.Reader) *Client { return &Client{cfg: cfg, rnd: rnd} }

// SetNetwork says where the machine stands now. If that is new, whatever was mapped elsewhere is lost, and the search begins; if not, the
// router is asked whether it still knows the mapping. It fails only if rnd does, and then the Client rests.
func (c *Client) SetNetwork(now mono.Time, n Network, out *Out) error {
	n = Network{n.Gateway.Unmap().WithZone(""), n.Local.Unmap().WithZone("")}
	if c.phase == closing {
		return nil
	}
	if n == c.network && c.phase != idle {
		c.Check(now, out)
		return nil
	}
	c.lose(out)
	c.network = n
	if !n.Gateway.IsValid() || !n.Local.IsValid() || n.Gateway.Is4() != n.Local.Is4() {
		c.forget()
		c.phase, c.network = idle, Network{}
		return nil
	}
	return c.begin(now, out)
}

// Check asks the router whether it still knows the mapping, and ends a rest: something has changed outside.
func (c *Client) Check(now mono.Time, out *Out) {
	switch c.phase {
	case resting:
		c.wake = now
		c.Tick(now, out)
	case holding:
		c.see(now, out)
	}
}

// forget drops all knowledge of the gateway.
func (c *Client) forget() {
	c.known, c.ask, c.epochs, c.outside, c.looked, c.clashes = [UPnP + 1]verdict{}, [UPnP]question{}, [UPnP]epoch{}, netip.Addr{}, false, 0
	c.lapse, c.wake = mono.Never, mono.Never
}

// begin looks for all protocols.
func (c *Client) begin(now mono.Time, out *Out) error {
	c.forget()
	c.phase, c.began, c.port = looking, now, c.cfg.Port
	if _, err := io.ReadFull(c.rnd, c.nonce[:]); err != nil {
		c.rest(now)
		return fmt.Errorf("asking for a port mapping failed: no random numbers: %w", err)
	}
	if c.cfg.Port == 0 {
		c.send(now, Request{Protocol: PCP, Local: c.network.Local}, out)
	} else {
		c.send(now, c.pcpMap(), out)
	}
	if c.network.Local.Is6() { // NAT-PMP knows no IPv6, and UPnP's pinholes are another service
		c.known[NATPMP], c.known[UPnP] = absent, absent
		return nil
	}
	c.send(now, Request{Protocol: NATPMP}, out)
	c.stale = !c.start(Job{Kind: Search}, out)
	return nil
}

func (c *Client) pcpMap() Request {
	r := Request{Protocol: PCP, Op: Map, Local: c.network.Local, Nonce: c.nonce, Internal: c.cfg.Port, External: c.cfg.Port, Lifetime: seconds(lifetime)}
	if c.held.protocol == PCP {
		r.External, r.Wanted = c.held.external.Port(), c.held.external.Addr()
	}
	return r
}

func (c *Client) pmpMap() Request {
	r := Request{Protocol: NATPMP, Op: Map, Internal: c.cfg.Port, External: c.cfg.Port, Lifetime: seconds(lifetime)}
	if c.held.protocol == NATPMP {
		r.External = c.held.external.Port()
	}
	return r
}

func seconds(d time.Duration) uint32 { return uint32(d / time.Second) }

// rest waits, longer each time, up to lastRest.
func (c *Client) rest(now mono.Time) {
	c.phase, c.wake = resting, now.Add(min(firstRest<<c.rests, lastRest))
	c.rests = min(c.rests+1, 8)
}

// start gives the owner a job, unless one is under way.
func (c *Client) start(j Job, out *Out) bool {
	if c.job != 0 {
		return false
	}
	c.job = j.Kind
	out.Jobs = append(out.Jobs, j)
	return true
}

// send asks the gateway, in place of what it was asked by this protocol before.
func (c *Client) send(now mono.Time, r Request, out *Out) {
	q := &c.ask[r.Protocol]
	*q = question{request: r}
	q.transmit(now, out)
}

func (q *question) transmit(now mono.Time, out *Out) {
	out.Transmits = append(out.Transmits, Transmit{q.request.Append(nil)})
	q.next = now.Add(askFirst << q.sent)
	q.sent++
}

// Found reports whether the router speaks a protocol; it can say so before it maps anything.
func (c *Client) Found(p Protocol) bool {
	return p >= PCP && p <= UPnP && (c.known[p] == present || c.known[p] == failing)
}

// Outside is the router's outside address, as far as a protocol told it.
func (c *Client) Outside() netip.Addr {
	if c.held.external.IsValid() {
		return c.held.external.Addr()
	}
	return c.outside
}

// External is the mapping; invalid: none.
func (c *Client) External() netip.AddrPort { return c.held.external }

// Close releases the mapping. The Client goes on until Closed.
func (c *Client) Close(now mono.Time, out *Out) {
	if c.phase == closing {
		return
	}
	was, wanted := c.held, c.ask[PCP]
	c.lose(out)
	c.ask, c.phase = [UPnP]question{}, closing
	if was.protocol == PCP || !wanted.next.IsNever() && wanted.request.Op == Map { // it may have been made, and the answer lost
		r := c.pcpMap()
		r.External, r.Lifetime = 0, 0
		c.send(now, r, out)
	}
	switch {
	case was.protocol == NATPMP:
		c.send(now, Request{Protocol: NATPMP, Op: Map, Internal: c.cfg.Port}, out)
	case was.protocol == UPnP:
		c.port = was.external.Port()
		c.start(Job{Kind: UnmapUPnP, External: c.port}, out) // while another is under way, Finished starts it
	case c.job != MapUPnP:
		c.port = 0
	}
}

// Closed reports whether everything has been released, or has been tried in vain.
func (c *Client) Closed() bool {
	return c.phase == closing && c.job == 0 && c.ask[PCP].next.IsNever() && c.ask[NATPMP].next.IsNever()
}
