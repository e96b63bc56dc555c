package daemon

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/cvlan/cvlan/daemon/localapi"
	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/node/engine"
	"github.com/cvlan/cvlan/internal/node/netcheck"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/hostdns"
	"github.com/cvlan/cvlan/internal/sys/osnet"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
)

// Config is what a daemon needs.
type Config struct {
	State     string // folder; made if need be
	Socket    string // of the local API; "": none, for who calls Up, Down, Status and Ping in the same process
	Group     string // whose members operate; "": localapi.DefaultGroup
	ReadGroup bool   // local_read=group
	MTU       int    // of TUN devices, in bytes; 0: the default
	// Workers is how many pairs of goroutines carry a network's packets; 0: DefaultWorkers.
	Workers int
	// DataMemory is how much memory packets may take, of all networks together, in bytes; 0: tunnel.DefaultMemory.
	DataMemory int
	// Speaks are the tunnel protocols that this machine may speak; zero: all. IKEProfile names the algorithms of IPsec; "": modern.
	Speaks     control.Tunnels
	IKEProfile string
	// FIPS has this machine speak IPsec alone, with the algorithms of crypt.FIPS, whatever Speaks and IKEProfile say. That the Go
	// Cryptographic Module is in its FIPS mode is for the caller to see to: CheckFIPS.
	FIPS bool
	Log  *slog.Logger
	// Level is how much Log writes, as the daemon was started with; settings change it. nil: nothing does.
	Level *slog.LevelVar
	// Outside is the world; the zero Outside is the real one.
	Outside engine.Outside
	// Names decides whom programs of this machine ask about names; nil: the system, if Outside.Host is nil too, else nobody is told of any.
	Names hostdns.Host
	// Check is what network checks need of the world; what is nil is the real one's. Its Relays come from the networks' maps.
	Check netcheck.Config
	// Cleanup removes from the host what a daemon that was killed left there, and keeps a hold (osnet.Host); nil: what the real host knows of.
	Cleanup func(hold *osnet.Exit) error
	// Relay is what makes a relay of a node that the controller wants to be one; nil: nothing does.
	Relay RelayHost
	// Quiet is called, from a goroutine of its own, when nothing has changed for 15 s since something last did: the moment to tidy up.
	// nil: nothing is called.
	Quiet func()

	logStandard string // Level as it was when the daemon was made
}

// quietAfter is how long nothing must change for Config.Quiet.
const quietAfter = 15 * time.Second

// fill puts the real world wherever the caller has not put another.
func (c *Config) fill() {
	if c.FIPS {
		c.Speaks, c.IKEProfile = control.IPsec, crypt.FIPS
	}
	if c.Group == "" {
		c.Group = localapi.DefaultGroup
	}
	c.logStandard = "info"
	if c.Level != nil {
		c.logStandard = strings.ToLower(c.Level.Level().String())
	}
	if c.Outside.Host == nil {
		host := osnet.New(osnet.Options{State: c.State, Log: c.Log})
		c.Outside.Host = host
		if c.Names == nil && hostdns.Works {
			c.Names = hostdns.New(hostdns.Options{State: c.State, Log: c.Log})
		}
		if c.Cleanup == nil {
			c.Cleanup = host.Cleanup
			if names := c.Names; names != nil {
				c.Cleanup = func(hold *osnet.Exit) error { return errors.Join(host.Cleanup(hold), names.Cleanup()) }
			}
		}
	}
	if c.Cleanup == nil {
		c.Cleanup = c.Outside.Host.Hold
	}
	if c.Outside.TUN == nil {
		c.Outside.TUN = openTUN(c.Workers)
	}
	if c.Outside.Tunnel == nil {
		c.Outside.Tunnel = openTunnel(tunnel.NewBudget(c.DataMemory))
	}
	fillCheck(&c.Check)
	if c.Outside.Dial == nil {
		c.Outside.Dial = dialer(new(stream.Recent))
	}
}

// dialer connects for real, and remembers what worked.
func dialer(memory stream.Memory) session.Dialer {
	return func(ctx context.Context, t session.Target) (stream.Stream, error) {
		c := stream.DialConfig{Addrs: t.Addrs, TLS: t.TLS, Transport: t.Transport, Afresh: t.Afresh, Silent: t.Silent, Proxy: stream.ProxyFromEnvironment}
		if t.Remember != "" {
			c.Memory, c.Attachment = memory, t.Remember
		}
		return stream.Dial(ctx, c)
	}
}
