package ike

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// Config is what a machine is made of.
type Config struct {
	Profile   crypt.Profile
	Directory Directory
	SPIs      SPIs
	// Authorities are named to initiators, whose certificates one of them should have issued.
	Authorities []msg.AuthorityHash
	// Fragment is the size of the largest message that is sent whole, in bytes without the headers of UDP and IP; 0: 1,180, which
	// leaves room for a relay's header where IPv6 has to pass.
	Fragment int
	// Lifetime is how long an IKE SA is used before it is replaced; up to a tenth less. 0: 4 hours.
	Lifetime time.Duration
	// Liveness is how long a peer may be silent before it is asked whether it lives; 0: only Probe asks.
	Liveness time.Duration
	// Reauthenticate is how long a peer's proof holds: who does not prove itself anew by then is cut off (RFC 4478). 0: as long as
	// Evidence.Until allows.
	Reauthenticate time.Duration
	// Lender lends addresses to peers that are Lent. Nil: nobody does.
	Lender Lender
	// CookiesFrom is the number of half-open SAs from which on strangers must prove their address; 0: 30.
	CookiesFrom int
	// MaxHalfOpen and MaxSessions are limits; 0: 1,024 and 65,536.
	MaxHalfOpen, MaxSessions int
	// TakesPartial is asked with every new Child SA whether packets with partial checksums may come by it; peers that know what that is are told. Nil: no.
	TakesPartial func() bool
	// KeyLog gets a line of Wireshark's ikev2_decryption_table for each set of keys. Nil, which is what everybody wants: nobody does.
	KeyLog func(line string)
}

// Directory knows peers and what proves them. It must not call the machine.
type Directory interface {
	// Peer is the one with an identity, which has not been proved yet. wanted is which of ours it would like to meet; the zero
	// Identity: whichever.
	Peer(remote, wanted msg.Identity) (Peer, bool)
	// Evidence is what the peer's AUTH is held against: its shared secret, or the key of the certificate, once that has been found
	// to be valid now, the peer's, and for this identity. certs are what the peer sent: the first is its own.
	Evidence(p Peer, remote msg.Identity, certs []msg.Cert) (crypt.Evidence, error)
}

// SPIs gives out the SPIs of the Child SAs on which we receive.
type SPIs interface {
	Reserve() (uint32, error)
	Release(uint32) // one that came to nothing
}

// Peer is how to meet one.
type Peer struct {
	Name       string       // the caller's own; it comes back in events
	Local      msg.Identity // ours
	Remote     msg.Identity // its; zero: whichever Directory.Evidence believes
	Credential crypt.Credential
	// Profile is what this peer may use, if that is less than what Config.Profile allows strangers. Nil: the same.
	Profile      *crypt.Profile
	Certificates []msg.Cert // our own first; with a credential that is a key
	Authorities  []msg.AuthorityHash
	// Child is the traffic that may go to the peer and come from it. Nil: an IKE SA without Child SAs (RFC 6023).
	Child *Child
	// Ask are addresses behind the peer that we would like to have for ourselves; an unspecified one: any of its family.
	Ask []netip.Addr
	// Lent says that the peer's traffic is that of addresses that Config.Lender lends to it, whatever Child.Theirs says. If it does not ask
	// for any, it gets no Child SA.
	Lent bool
	// Follows says that the peer is reached wherever its authentic messages and packets come from, and reaches us so: MOBIKE is not spoken with it.
	Follows bool
	// Unique says that more than one IKE SA with the peer is of no use, nor more than one Child SA for the same traffic: of two that cross each other
	// one is deleted.
	Unique bool
}

// Child is the traffic of a Child SA. Both ends may narrow it down.
type Child struct {
	Ours, Theirs []msg.Selector
}

// Path is the pair of addresses that messages travel between. Relayed ones have addresses that stand for the relay.
type Path struct{ Local, Remote netip.AddrPort }

// Limits that need no configuration.
const (
	maxSelectors  = 32 // of either side of a Child SA, after narrowing
	maxSame       = 8  // sessions with one peer
	maxChildren   = 64 // of one peer, those that end included
	maxQueue      = 64 // wishes of ours that wait for a peer
	maxCookies    = 3  // cookies that we return in one attempt
	maxSources    = 32 // half-open SAs with one address, or one /64 of IPv6
	leastFragment = crypt.MinDatagram
	maxInit       = 8192 // bytes of a stranger's first message, which is kept until it has proved itself
	nonceSize     = 32
)

// Timing.
const (
	firstRetry  = time.Second      // after which a request is repeated, then 1.8 times as long each time
	hasten      = firstRetry / 5   // after which a request may be repeated out of turn
	maxTries    = 8                // after which nobody is there: 78 s
	pathTries   = 4                // after which nobody is at the end of a new path: 12 s
	halfOpen    = 30 * time.Second // that a stranger has to prove itself
	linger      = 30 * time.Second // that the answer to a last request is kept
	replacedFor = 2 * time.Minute  // that an IKE SA may live that the peer ought to delete
	backOff     = 5 * time.Second  // before what the peer has temporarily refused is tried again, up to twice as long
	secretLife  = time.Minute      // of cookies; the one before is taken too
)

const (
	defaultFragment    = 1180
	defaultLifetime    = 4 * time.Hour
	defaultCookiesFrom = 30
	defaultHalfOpen    = 1024
	defaultSessions    = 65536
)

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var errs []error
	if len(c.Profile.IKE) == 0 || len(c.Profile.ESP) == 0 {
		errs = append(errs, errors.New("the profile offers nothing: make one with crypt.NewProfile"))
	}
	if c.Directory == nil {
		errs = append(errs, errors.New("there is no directory of peers"))
	}
	if c.SPIs == nil {
		errs = append(errs, errors.New("there is no source of SPIs"))
	}
	if c.Fragment != 0 && (c.Fragment < leastFragment || c.Fragment > msg.MaxMessage) {
		errs = append(errs, fmt.Errorf("fragments of %d bytes: want 0 (default) or %d to %d", c.Fragment, leastFragment, msg.MaxMessage))
	}
	if c.Lifetime != 0 && c.Lifetime < time.Minute || c.Liveness != 0 && c.Liveness < time.Second {
		errs = append(errs, errors.New("the lifetime is less than a minute, or liveness less than a second"))
	}
	if c.Reauthenticate != 0 && c.Reauthenticate < time.Minute {
		errs = append(errs, errors.New("proofs hold for less than a minute"))
	}
	if c.CookiesFrom < 0 || c.MaxHalfOpen < 0 || c.MaxSessions < 0 {
		errs = append(errs, errors.New("a limit is negative"))
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("ike: config: %w", errors.Join(errs...))
}

func (c Config) withDefaults() Config {
	orDefault := func(n *int, otherwise int) {
		if *n == 0 {
			*n = otherwise
		}
	}
	orDefault(&c.Fragment, defaultFragment)
	orDefault(&c.CookiesFrom, defaultCookiesFrom)
	orDefault(&c.MaxHalfOpen, defaultHalfOpen)
	orDefault(&c.MaxSessions, defaultSessions)
	if c.Lifetime == 0 {
		c.Lifetime = defaultLifetime
	}
	return c
}

func (p Peer) check() error {
	if p.Local.Kind == 0 {
		return errors.New("our identity is missing")
	}
	if p.Credential.Key == nil && len(p.Credential.Shared) == 0 {
		return errors.New("there is nothing to prove our identity with")
	}
	if c := p.Child; c != nil {
		return c.check()
	}
	return nil
}

func (c Child) check() error {
	if len(c.Ours) == 0 || len(c.Theirs) == 0 || len(c.Ours) > maxSelectors || len(c.Theirs) > maxSelectors {
		return fmt.Errorf("%d and %d traffic selectors: either side has 1 to %d", len(c.Ours), len(c.Theirs), maxSelectors)
	}
	return nil
}
