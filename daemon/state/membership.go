package state

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/sys/disk"
	"github.com/cvlan/cvlan/internal/sys/stream"
)

// Files of a membership.
const (
	identityFile = "identity.pem"
	wgFile       = "wg.key"
	chainFile    = "chain.pem"
	rootFile     = "root.pem"
	metaFile     = "membership.json"
	cacheFile    = "netmap.cache"
)

// Meta is membership.json.
type Meta struct {
	Schema    int              `json:"schema"`
	Tenant    ident.Tenant     `json:"tenant"`
	Network   ident.Network    `json:"network"`
	Node      ident.Node       `json:"node"`
	Pin       []byte           `json:"pin"`
	JoinKey   ident.JoinKey    `json:"join_key"`
	Addresses []string         `json:"addresses"`
	Learned   []string         `json:"learned,omitempty"`
	Record    []byte           `json:"record"`
	Wanted    Wanted           `json:"wanted"`
	Transport stream.Transport `json:"transport,omitempty"`
	Interface string           `json:"interface,omitempty"` // as its owner wants it
	MTU       int              `json:"mtu,omitempty"`       // as its owner wants it
	Port      uint16           `json:"port,omitempty"`      // as its owner wants it
	Protocol  string           `json:"protocol,omitempty"`  // that its owner would rather have spoken
	Backend   string           `json:"ipsec_backend,omitempty"`
	// What is behind this machine, and what of others' is used.
	Routes       []netip.Prefix `json:"routes,omitempty"`
	AcceptRoutes string         `json:"accept_routes,omitempty"`
	SNAT         string         `json:"snat,omitempty"`
	DNS          string         `json:"dns,omitempty"` // whether programs of this machine find names of the network
	// Through which machine what is for the internet leaves.
	ExitNode string `json:"exit_node,omitempty"`
	ExitLAN  string `json:"exit_lan,omitempty"`

	Last Last        `json:"last"`
	Home ident.Relay `json:"home,omitempty"` // the relay where peers find the node
}

// Wanted is what the owner has said last.
type Wanted string

// What an owner may want.
const (
	Up   Wanted = "up"
	Down Wanted = "down"
)

// Last is what came up last: peers remember the port, and people the rest, while no controller answers.
type Last struct {
	Name      string `json:"name,omitempty"` // of the network
	Tenant    string `json:"tenant,omitempty"`
	Interface string `json:"interface,omitempty"`
	Port      uint16 `json:"port,omitempty"`
}

const schema = 1

// Membership is one membership's folder. Its methods may be called from any goroutine; those that save return only when the disk has
// it. What could not be saved stays in memory and is saved with the next change.
type Membership struct {
	ID       ident.Network
	Identity key.Identity
	WG       key.WGPrivate

	path string
	root []byte

	mu    sync.Mutex
	chain [][]byte
	meta  Meta
	stale bool // meta is newer than the file
}

// Meta returns what is known now.
func (m *Membership) Meta() Meta {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.meta
}

// Session returns the membership as the session wants it.
func (m *Membership) Session() session.Membership {
	m.mu.Lock()
	defer m.mu.Unlock()
	return session.Membership{
		Tenant: m.meta.Tenant, Network: m.meta.Network, Node: m.meta.Node, Chain: m.chain, Root: m.root, Pin: [32]byte(m.meta.Pin),
		Addrs: m.meta.Addresses, Learned: m.meta.Learned, Record: m.meta.Record,
	}
}

// SetWanted keeps what the owner wants.
func (m *Membership) SetWanted(w Wanted) error {
	return m.change(func(meta *Meta) { meta.Wanted = w })
}

// Set keeps what the owner sets.
func (m *Membership) Set(alter func(*Meta)) error { return m.change(alter) }

// SaveProtocol keeps which tunnel protocol the owner would rather have spoken; "": none.
func (m *Membership) SaveProtocol(name string) error {
	return m.change(func(meta *Meta) { meta.Protocol = name })
}

// SaveAddrs keeps where the controller wants to be reached.
func (m *Membership) SaveAddrs(addrs []string) error {
	return m.change(func(meta *Meta) { meta.Learned = addrs })
}

// SaveLast keeps what came up.
func (m *Membership) SaveLast(l Last) error { return m.change(func(meta *Meta) { meta.Last = l }) }

// SaveHome keeps the relay where the node is at home, so that the next start need not measure first.
func (m *Membership) SaveHome(r ident.Relay) error {
	return m.change(func(meta *Meta) { meta.Home = r })
}

// change alters membership.json. An alteration that changes nothing is not written, unless the last one could not be.
func (m *Membership) change(alter func(*Meta)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	before, err := json.MarshalIndent(m.meta, "", "  ")
	if err != nil {
		return err
	}
	alter(&m.meta)
	after, err := json.MarshalIndent(m.meta, "", "  ")
	if err != nil {
		return err
	}
	if !m.stale && bytes.Equal(before, after) {
		return nil
	}
	err = disk.Write(filepath.Join(m.path, metaFile), after)
	m.stale = err != nil
	return err
}

// SaveChain keeps a renewed certificate.
func (m *Membership) SaveChain(chain [][]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.chain = chain
	return disk.Write(filepath.Join(m.path, chainFile), certificates(chain))
}

// load reads a membership that was saved whole.
func load(path string, id ident.Network) (*Membership, error) {
	m := &Membership{ID: id, path: path}
	if err := m.loadKeys(); err != nil {
		return nil, err
	}
	text, _, err := disk.Read(filepath.Join(path, metaFile))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &m.meta); err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(path, metaFile), err)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(path, metaFile), err)
	}
	if m.chain, err = readCertificates(filepath.Join(path, chainFile)); err != nil {
		return nil, err
	}
	root, err := readCertificates(filepath.Join(path, rootFile))
	if err != nil {
		return nil, err
	}
	m.root = root[0]
	return m, nil
}

func (m *Membership) check() error {
	switch {
	case m.meta.Schema > schema:
		return errors.New("written by a newer version of cvland; upgrade this one")
	case m.meta.Schema != schema || m.meta.Network != m.ID || m.meta.Node.IsZero() || m.meta.Tenant.IsZero() || len(m.meta.Pin) != 32:
		return errors.New("its contents are not those of this membership; restore it from a backup, or forget the network and join again")
	}
	return nil
}

func (m *Membership) loadKeys() error {
	text, _, err := disk.Read(filepath.Join(m.path, identityFile))
	if err != nil {
		return err
	}
	if m.Identity, err = key.ParseIdentity(text); err != nil {
		return fmt.Errorf("read %s: %w", filepath.Join(m.path, identityFile), err)
	}
	if text, _, err = disk.Read(filepath.Join(m.path, wgFile)); err != nil {
		return err
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("read %s: not base64", filepath.Join(m.path, wgFile)) // the cause could quote the key
	}
	if m.WG, err = key.ParseWGPrivate(raw); err != nil {
		return fmt.Errorf("read %s: %w", filepath.Join(m.path, wgFile), err)
	}
	return nil
}

func (m *Membership) saveKeys() error {
	text, err := m.Identity.PEM()
	if err != nil {
		return err
	}
	if err := disk.Write(filepath.Join(m.path, identityFile), text); err != nil {
		return err
	}
	return disk.Write(filepath.Join(m.path, wgFile), []byte(base64.StdEncoding.EncodeToString(m.WG.Bytes())+"\n"))
}

func certificates(chain [][]byte) []byte {
	var b bytes.Buffer
	for _, c := range chain {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c}) // a buffer takes everything
	}
	return b.Bytes()
}

func readCertificates(path string) (chain [][]byte, err error) {
	text, _, err := disk.Read(path)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		chain = append(chain, block.Bytes)
	}
	if len(chain) == 0 {
		return nil, fmt.Errorf("read %s: has no certificate", path)
	}
	return chain, nil
}
