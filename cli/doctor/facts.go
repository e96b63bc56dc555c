package doctor

import (
	"context"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/version"
)

// Facts is everything that Judge looks at.
type Facts struct {
	Now     time.Time
	Client  version.Info
	Silence error            // why the daemon did not tell its state; nil: it did
	Status  local.Status     // of the daemon
	Tunnels *local.WireGuard // nil: not told
	Check   *local.NetCheck  // nil: not told
	Skipped []Skipped
	Host    HostFacts
}

// HostFacts is what the host shows. The zero value of each field is "in order", or "not known here".
type HostFacts struct {
	System     string         `json:"system"` // runtime.GOOS
	User       string         `json:"user"`
	Root       bool           `json:"root"`
	Program    string         `json:"program"`        // where cvland is; "": nowhere on the path
	Unit       string         `json:"unit"`           // systemd's word for the state of cvland.service: active, inactive, failed …; "": no such unit
	Said       string         `json:"said,omitempty"` // the last line of the daemon's log, where the unit does not stay up and this user may read it
	Systemd    bool           `json:"systemd"`        // it runs this machine
	Group      bool           `json:"group"`          // the group cvlan exists
	Listed     bool           `json:"listed"`         // the group has this user
	TUN        string         `json:"tun"`            // what is wrong with TUN devices: missing, forbidden; "": nothing
	NoNetAdmin bool           `json:"no_net_admin"`   // even root may not make interfaces: a container
	Interfaces map[string]int `json:"interfaces"`     // MTU by name; nil: not known
	Routes     []Route        `json:"routes"`
	Rules      []Rule         `json:"rules,omitempty"`   // of routing, that programs have added
	Forward    []Chain        `json:"forward,omitempty"` // what drops packets that the machine passes on, unless one of its rules accepts them; empty where this user may not look
	Buffers    int            `json:"buffers"`           // bytes that a socket may have at most: the lesser of both directions; 0: not known
}

// Chain is one of netfilter's that judges packets which the machine passes on, and whose policy is to drop them.
type Chain struct {
	Family string   `json:"family"`
	Table  string   `json:"table"`
	Name   string   `json:"name"`
	Names  []string `json:"names,omitempty"` // interfaces that rules in it name
	Docker bool     `json:"docker"`          // its table has a chain for rules that Docker leaves alone
}

// Route is where the system sends packets for a peer.
type Route struct {
	Network string     `json:"network"` // identifier
	To      netip.Addr `json:"to"`
	From    netip.Addr `json:"from"` // the source address that the system chose; invalid: it has no route
}

// Host is the machine that Look looks at. Its zero-cost twin in tests answers what it was told.
type Host interface {
	// Look tells what the host shows. routes are the peers whose routes are asked for; From is filled in.
	Look(ctx context.Context, routes []Route) HostFacts
	// Run runs a cure and returns what went wrong.
	Run(ctx context.Context, command []string) error
	// Journal returns the latest lines that the daemon's service has logged, where the system keeps them; "" elsewhere.
	Journal(ctx context.Context) string
}

// Daemon is what Look asks of the daemon: a *local.Client.
type Daemon interface {
	Status(context.Context) (local.Status, error)
	WireGuard(context.Context) (local.WireGuard, error)
	NetCheck(context.Context) (local.NetCheck, error)
}

// mostRoutes bounds the peers of each network whose routes are asked for.
const mostRoutes = 2

// Look gathers the facts. Without network it leaves out the check of the network, which takes up to three seconds.
func Look(ctx context.Context, now time.Time, d Daemon, h Host, network bool) Facts {
	f := Facts{Now: now, Client: version.Get()}
	f.Status, f.Silence = d.Status(ctx)
	f.Host = h.Look(ctx, wanted(f.Status))
	if f.Silence != nil {
		return f
	}
	if w, err := d.WireGuard(ctx); err == nil {
		f.Tunnels = &w
	} else {
		f.skip("the tunnels", err)
	}
	switch {
	case !network:
	case len(f.Status.Networks) == 0:
		f.Skipped = append(f.Skipped, Skipped{"the internet connection", "no network is joined, so no relay is known to ask"})
	default:
		if n, err := d.NetCheck(ctx); err == nil {
			f.Check = &n
		} else {
			f.skip("the internet connection", err)
		}
	}
	return f
}

func (f *Facts) skip(check string, err error) {
	f.Skipped = append(f.Skipped, Skipped{check, err.Error()})
}

// wanted lists peers whose routes say whether the system still sends the networks' packets to their interfaces.
func wanted(s local.Status) (all []Route) {
	for _, n := range s.Networks {
		if n.Interface == "" {
			continue
		}
		left := mostRoutes
		for _, p := range n.Peers {
			if len(p.Addresses) > 0 && left > 0 {
				all, left = append(all, Route{Network: n.ID, To: p.Addresses[0]}), left-1
			}
		}
	}
	return all
}
