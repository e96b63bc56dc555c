package ike_test

import (
	"crypto"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/core/esp"
	core "github.com/cvlan/cvlan/internal/core/ike"
	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
	"github.com/cvlan/cvlan/internal/node/ike"
	"github.com/cvlan/cvlan/internal/node/ipsec"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/node/tunnel/tunneltest"
)

// Nothing that a tunnel starts outlives it; a bubble sees to that by itself.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const rtt = tunneltest.RTT

// world is a network with two ends on it, inside a bubble.
type world struct {
	*testing.T
	*tunneltest.Links
	a, b *end
}

// inWorld tells a story of two ends that know each other. change may alter what they are made of.
func inWorld(t *testing.T, change func(*end), story func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, Links: tunneltest.NewLinks(1)}
		w.a, w.b = w.end(1, change), w.end(2, change)
		defer func() {
			w.a.Close()
			w.b.Close()
		}()
		w.a.Knows(w.b.End)
		w.b.Knows(w.a.End)
		story(w)
	})
}

// end is one end of the tunnel.
type end struct {
	*tunneltest.End
	w      *world
	config ike.Config
	secret string
	signer crypto.Signer // that both have, in place of the secret; nil: they have none
	plural bool          // it takes more than one session with a peer, as other implementations do
	change func(*end)
}

func (w *world) end(n byte, change func(*end)) *end {
	e := &end{End: tunneltest.NewEnd(w, n), w: w, change: change}
	e.boot()
	return e
}

// boot starts the end, or starts it anew without peers.
func (e *end) boot() {
	e.w.Helper()
	profile, err := crypt.NewProfile(crypt.Modern)
	if err != nil {
		e.w.Fatal(err)
	}
	e.config, e.secret = ike.Config{IKE: core.Config{Profile: profile}, Peers: directory{e}}, "known to both"
	if e.change != nil {
		e.change(e)
	}
	e.Start(e.w.Links, map[tunnel.Class]tunnel.Build{tunnel.IKE: ipsec.New(ipsec.Config{Keyer: ike.New(e.config)})})
}

// directory is what an end knows: identities are the names of the tunnel.
type directory struct{ *end }

func identity(k key.WGPublic) msg.Identity { return msg.Identity{Kind: msg.IDKeyID, Data: k[:]} }

func everything() []msg.Selector {
	return []msg.Selector{msg.PrefixSelector(netip.MustParsePrefix("0.0.0.0/0")), msg.PrefixSelector(netip.MustParsePrefix("::/0"))}
}

func (d directory) Meet(p *tunnel.Peer) (core.Peer, error) {
	return core.Peer{
		Local: identity(d.Name()), Remote: identity(p.Key()), Credential: crypt.Credential{Key: d.signer, Shared: []byte(d.secret)},
		Child: &core.Child{Ours: everything(), Theirs: everything()}, Unique: !d.plural,
	}, nil
}

func (d directory) Who(remote, _ msg.Identity) (key.WGPublic, bool) {
	if remote.Kind != msg.IDKeyID || len(remote.Data) != 32 {
		return key.WGPublic{}, false
	}
	return key.WGPublic(remote.Data), true
}

func (d directory) Evidence(p *tunnel.Peer, remote msg.Identity, _ []msg.Cert) (crypt.Evidence, time.Duration, error) {
	if string(remote.Data) != string(identity(p.Key()).Data) {
		return crypt.Evidence{}, 0, errors.New("somebody else")
	}
	if d.signer != nil {
		return crypt.Evidence{Public: d.signer.Public()}, 0, nil
	}
	return crypt.Evidence{Shared: []byte(d.secret)}, 0, nil
}

// shortLived has keys replaced every ten seconds.
func shortLived(e *end) {
	e.config.Life = esp.Life{Soft: esp.Limit{Time: 10 * time.Second}, Hard: esp.Limit{Time: 30 * time.Second}}
}
