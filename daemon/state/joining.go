package state

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/sys/disk"
)

// joiningKept is how long the keys of an unfinished join wait for the same join key to come again.
const joiningKept = 90 * 24 * time.Hour

// ErrMember says that there is a membership of that network already.
var ErrMember = errors.New("this machine is a member of that network already")

// Joining is a join on its way: keys that are on the disk, and nobody's yet. The ticket's secret is not kept.
type Joining struct {
	Identity key.Identity
	WG       key.WGPrivate

	dir  *Dir
	path string
	t    ticket.Ticket
}

// Begin returns the keys for a join with this ticket: those of an earlier try if there was one, else new ones.
func (d *Dir) Begin(t ticket.Ticket) (*Joining, error) {
	d.prune(time.Now())
	name := ident.JoinKey(t.ID).String() + "-" + hex.EncodeToString(t.Pin[:8])
	path := filepath.Join(d.path, joining, name)
	if err := disk.Folder(path); err != nil {
		return nil, fmt.Errorf("keys for the join: %w", err)
	}
	m := &Membership{path: path}
	err := m.loadKeys()
	if errors.Is(err, fs.ErrNotExist) { // nothing was ever asked with half a set of keys
		err = m.makeKeys()
	}
	if err != nil {
		return nil, fmt.Errorf("keys for the join: %w", err)
	}
	return &Joining{m.Identity, m.WG, d, path, t}, nil
}

func (m *Membership) makeKeys() (err error) {
	if m.Identity, err = key.NewIdentity(); err != nil {
		return err
	}
	m.WG = key.NewWGPrivate()
	return m.saveKeys()
}

// prune deletes what nobody came back for.
func (d *Dir) prune(now time.Time) {
	entries, _ := os.ReadDir(filepath.Join(d.path, joining))
	for _, e := range entries {
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > joiningKept {
			_ = os.RemoveAll(filepath.Join(d.path, joining, e.Name())) // tried again at the next join
		}
	}
}

// Drop forgets keys that nobody was given anything for. What cannot be deleted goes with time.
func (j *Joining) Drop() { _ = os.RemoveAll(j.path) }

// Finish makes a membership of an admitted join; alter sets what its owner wants of it. It is ErrMember if there is one of that network already: nothing is changed then,
// and Finish may be called again when that one has been forgotten.
func (j *Joining) Finish(s session.Membership, alter func(*Meta)) (*Membership, error) {
	to := filepath.Join(j.dir.path, networks, s.Network.String())
	if _, err := os.Lstat(to); err == nil {
		return nil, ErrMember
	}
	m := &Membership{ID: s.Network, Identity: j.Identity, WG: j.WG, path: j.path, chain: s.Chain, root: s.Root}
	m.meta = Meta{Schema: schema, Tenant: s.Tenant, Network: s.Network, Node: s.Node, Pin: s.Pin[:], JoinKey: ident.JoinKey(j.t.ID),
		Addresses: s.Addrs, Record: s.Record, Wanted: Up}
	if alter != nil {
		alter(&m.meta)
	}
	if err := m.saveAll(); err != nil {
		return nil, fmt.Errorf("keep the membership: %w", err)
	}
	if err := os.Rename(j.path, to); err != nil {
		return nil, fmt.Errorf("keep the membership: %w", err)
	}
	flush(filepath.Dir(to))
	m.path = to
	return m, nil
}

func (m *Membership) saveAll() error {
	text, err := json.MarshalIndent(m.meta, "", "  ")
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		text []byte
	}{{rootFile, certificates([][]byte{m.root})}, {chainFile, certificates(m.chain)}, {metaFile, text}} {
		if err := disk.Write(filepath.Join(m.path, f.name), f.text); err != nil {
			return err
		}
	}
	return nil
}

// flush makes a rename durable where the system can. If it does not, a power cut takes the membership back to where it was: an
// unfinished join, which the same join key finishes.
func flush(folder string) {
	if f, err := os.Open(folder); err == nil {
		_ = f.Sync()
		f.Close()
	}
}
