package ike

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/ike"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
	"github.com/cvlan/cvlan/internal/node/ipsec"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

var _ ipsec.Clerk = (*keyer)(nil)

// ErrDown says that there are no SAs with a peer.
var ErrDown = errors.New("there are no security associations with this peer")

// Sessions implements ipsec.Clerk.
func (k *keyer) Sessions() (all []ipsec.Session) {
	for _, s := range k.machine.Sessions() {
		var name key.WGPublic
		if name.UnmarshalText([]byte(s.Peer)) != nil {
			continue
		}
		all = append(all, ipsec.Session{
			Peer: name, Identity: identityText(s.Identity), Method: methodText(s.Method), Began: s.Began, Initiator: uint64(s.SPIi), Responder: uint64(s.SPIr),
			Cipher: s.Cipher, Up: s.Up, Heard: s.Heard, Rekey: s.Rekey, ProofEnds: s.ProofEnds, Pending: s.Pending,
		})
	}
	return all
}

// identityText is an identity for people: as text where it is text.
func identityText(i msg.Identity) string {
	if a, ok := i.Addr(); ok {
		return a.String()
	}
	text := i.Data
	if uri, ok := URI(i); ok {
		text = []byte(uri)
	}
	for _, c := range text {
		if c < 0x20 || c > 0x7e {
			return fmt.Sprintf("%x", i.Data)
		}
	}
	return string(text)
}

// uriTag is that of a GeneralName which is a URI, in DER (RFC 5280, section 4.2.1.6), and maxURI what one byte tells the length of.
const (
	uriTag = 0x86
	maxURI = 0x7f
)

// URIIdentity is the identity that the URI of a certificate is (ID_DER_ASN1_GN). A URI has at most 127 bytes.
func URIIdentity(uri string) msg.Identity {
	return msg.Identity{Kind: msg.IDGN, Data: append([]byte{uriTag, byte(len(uri))}, uri...)}
}

// URI is the URI that an identity is, if it is one.
func URI(i msg.Identity) (string, bool) {
	if i.Kind != msg.IDGN || len(i.Data) < 2 || i.Data[0] != uriTag || int(i.Data[1]) != len(i.Data)-2 || len(i.Data)-2 > maxURI {
		return "", false
	}
	return string(i.Data[2:]), true
}

func methodText(m msg.AuthMethod) string {
	if m == msg.AuthSharedKey {
		return "shared secret"
	}
	return "certificate"
}

// Rekey implements ipsec.Clerk.
func (k *keyer) Rekey(now mono.Time, p *tunnel.Peer) error {
	who := k.peers[p.Key()]
	if who == nil || !who.up {
		return ErrDown
	}
	err := k.machine.Rekey(now, who.id, &k.out)
	for _, pair := range k.host.Pairs(p) {
		if pair.Sealing && k.children[pair.Local()] == who.id {
			err = errors.Join(err, k.machine.RekeyChild(now, who.id, uint32(pair.Local()), &k.out))
		}
	}
	k.settle(now)
	return err
}

// Terminate implements ipsec.Clerk.
func (k *keyer) Terminate(now mono.Time, p *tunnel.Peer) error {
	who := k.peers[p.Key()]
	if who == nil || who.id == 0 {
		return ErrDown
	}
	return k.hangUp(now, who, "by hand")
}

// hangUp ends all sessions with a peer, and an attempt to make one. why is for the log.
func (k *keyer) hangUp(now mono.Time, who *peer, why string) (err error) {
	all := slices.Clone(who.all)
	if who.id != 0 && !slices.Contains(all, who.id) {
		all = append(all, who.id)
	}
	before := len(k.out.Events)
	for _, id := range all {
		err = errors.Join(err, k.machine.Terminate(now, id, &k.out))
	}
	for i := range k.out.Events[before:] {
		if e := &k.out.Events[before+i]; e.Kind == ike.EventDown {
			e.Detail = why
		}
	}
	k.settle(now)
	return err
}
