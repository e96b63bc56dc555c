package hostdns

import (
	"net/netip"
	"slices"
)

// Want is what the host is to do. Without Links it is to be as it was without us.
type Want struct {
	Server netip.AddrPort // ours
	Links  []Link         // at most MaxLinks
}

// MaxLinks bounds the interfaces.
const MaxLinks = 256

// Link is what an interface's network has of names.
type Link struct {
	Interface string
	Search    []string // domains in which names without a dot are looked for; they are routed too
	Routed    []string // domains whose names our server is asked about, and no other
}

func (w Want) search() (all []string) {
	for _, l := range w.Links {
		for _, s := range l.Search {
			if !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all
}

// Managers of the host's names.
const (
	Resolved = "systemd-resolved"
	File     = "file"
)

// State is how the host is.
type State struct {
	Manager string // Resolved, File; "": not known
	Path    string // of the file that decides
	InPlace bool   // all that is wanted is so
	// Upstreams are the servers that others have written into the file, if programs ask ours before them.
	Upstreams []netip.Addr
}

// Fault says why the host cannot be made to ask us. Its owner is the host's: nothing has been changed.
type Fault struct {
	Code string // stable, kebab-case
	Why  string
	Hint string
}

// Error implements error.
func (f *Fault) Error() string { return f.Why + "; " + f.Hint }

// Host is the part of the operating system that decides who is asked about names. Methods may be called from any goroutine.
type Host interface {
	// Look says how the host is, and changes nothing.
	Look(Want) (State, error)
	// Set makes it what is wanted, and says how it is then. It may be called again and again. Without Links it takes out all that was put in.
	Set(Want) (State, error)
	// Cleanup takes out what an earlier process with the same state folder has left.
	Cleanup() error
}
