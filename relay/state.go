package relay

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/sys/disk"
	"github.com/cvlan/cvlan/relay/session"
)

// The files in a relay's folder. Each is replaced whole or not at all.
const (
	lockFile     = "lock"
	identityFile = "identity.pem"
	relayFile    = "relay.json"
	admitFile    = "admit"
	quicFile     = "quic.key"
	socketFile   = "relay.sock"
)

// stateSchema is the version of relayFile's layout.
const stateSchema = 1

// stored is relayFile.
type stored struct {
	Schema  int         `json:"schema"`
	Relay   ident.Relay `json:"relay"`
	Leaf    []byte      `json:"certificate"`
	Root    []byte      `json:"root"`
	Pin     []byte      `json:"pin"`
	Addrs   []string    `json:"controllers"`
	Learned []string    `json:"learned,omitempty"`
	Heard   time.Time   `json:"heard,omitzero"` // the newest time that a controller has told
}

// folder is where a relay keeps what a restart needs.
type folder struct {
	path     string
	lock     *disk.Lock
	identity key.Identity
	member   session.Membership // zero: it has not joined
	heard    time.Time
}

// openFolder takes the folder and, unless there is one already, makes the identity at first start.
func openFolder(path string, identity *key.Identity) (f *folder, err error) {
	if err := disk.Folder(path); err != nil {
		return nil, fmt.Errorf("the relay's folder: %w", err)
	}
	f = &folder{path: path}
	if f.lock, err = disk.Acquire(f.file(lockFile)); err != nil {
		return nil, fmt.Errorf("the relay's folder: %w", err)
	}
	if identity != nil {
		f.identity = *identity
	} else {
		err = f.loadIdentity()
	}
	if err == nil {
		err = f.loadMember()
	}
	if err != nil {
		return nil, errors.Join(err, f.lock.Release())
	}
	return f, nil
}

func (f *folder) file(name string) string { return filepath.Join(f.path, name) }

func (f *folder) loadIdentity() error {
	text, _, err := disk.Read(f.file(identityFile))
	if err == nil {
		f.identity, err = key.ParseIdentity(text)
	} else if errors.Is(err, fs.ErrNotExist) {
		if f.identity, err = key.NewIdentity(); err == nil {
			if text, err = f.identity.PEM(); err == nil {
				err = disk.Write(f.file(identityFile), text)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("the relay's identity: %w", err)
	}
	return nil
}

func (f *folder) loadMember() error {
	b, _, err := disk.Read(f.file(relayFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var s stored
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	switch {
	case err != nil:
		return fmt.Errorf("read %s: %w", f.file(relayFile), err)
	case s.Schema > stateSchema:
		return fmt.Errorf("read %s: it was written by a newer version of cvlan-relay", f.file(relayFile))
	case len(s.Pin) != 32 || s.Relay.IsZero():
		return fmt.Errorf("read %s: it names no relay", f.file(relayFile))
	}
	if _, err := x509.ParseCertificate(s.Root); err != nil {
		return fmt.Errorf("read %s: the root certificate: %w", f.file(relayFile), err)
	}
	f.member = session.Membership{Relay: s.Relay, Leaf: s.Leaf, Root: s.Root, Pin: [32]byte(s.Pin), Addrs: s.Addrs, Learned: s.Learned}
	f.heard = s.Heard
	return nil
}

// keep writes the membership down.
func (f *folder) keep(m session.Membership, heard time.Time) error {
	b, err := json.MarshalIndent(stored{stateSchema, m.Relay, m.Leaf, m.Root, m.Pin[:], m.Addrs, m.Learned, heard}, "", "\t")
	if err != nil {
		return err
	}
	return disk.Write(f.file(relayFile), b)
}

// quicSecret returns what lets clients notice a restart at once.
func (f *folder) quicSecret() (s [32]byte, err error) {
	if b, _, err := disk.Read(f.file(quicFile)); err == nil && len(b) == len(s) {
		return [32]byte(b), nil
	}
	rand.Read(s[:])
	return s, disk.Write(f.file(quicFile), s[:])
}
