// Package enroll admits machines: it answers Join and RelayJoin from a machine without a certificate, and Renew from a node or relay.
//
// Everything that decides is elsewhere: the store redeems the key, all or nothing, and the authority signs. The desk checks the
// request, and turns every refusal into a sentence that the person at the new machine can act on.
package enroll

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// patience bounds the whole of one admission, the store's write included.
const patience = 20 * time.Second

// Issuer is the certificate authority as the desk sees it.
type Issuer interface {
	// IssueNode signs the request for a node of a tenant and returns the chain without the root, leaf first, and the leaf's end.
	IssueNode(ctx context.Context, tenant ident.Tenant, node ident.Node, csr []byte) (chain [][]byte, until time.Time, err error)
	// IssueRelay signs the request for a relay and returns the certificate, DER, and its end.
	IssueRelay(relay ident.Relay, csr []byte) (leaf []byte, until time.Time, err error)
	// Root returns the root certificate, DER.
	Root() []byte
}

// Config is what a desk works with.
type Config struct {
	Store  store.Store
	Issuer Issuer
	Now    func() time.Time
	Log    *slog.Logger
	// RelayJoined hears of relays that have redeemed their keys; nil: nobody does.
	RelayJoined func(store.Relay)
}

// Desk admits machines. It may be used from any goroutine.
type Desk struct{ Config }

// New returns a desk.
func New(c Config) *Desk { return &Desk{c} }

// Serve reads one Join from a machine without a certificate, answers it and closes the stream.
func (d *Desk) Serve(ctx context.Context, s stream.Stream) {
	defer s.Close()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	f, err := s.Recv()
	if err != nil {
		return
	}
	answer := d.answer(ctx, f)
	b, err := control.AppendFrame(nil, answer)
	if err == nil {
		err = s.Send(ctx, b)
	}
	if err != nil {
		d.Log.Info("the answer to a join was not delivered", logx.Err, err)
	}
}

func (d *Desk) answer(ctx context.Context, f *pb.Frame) *pb.Frame {
	if r := f.GetRelayJoin(); r != nil {
		return d.answerRelay(ctx, r)
	}
	j := f.GetJoin()
	if j == nil {
		return &pb.Frame{Body: &pb.Frame_Goaway{Goaway: &pb.Goaway{
			Reason: pb.GoawayReason_GOAWAY_REASON_PROTOCOL, Message: "a machine without a certificate may only join"}}}
	}
	joined, err := d.join(ctx, j)
	if err != nil {
		r := refuse(err)
		d.Log.Info("join refused", logx.Reason, r.Reason.String(), logx.Err, err, "key", ident.JoinKey(j.KeyId))
		return &pb.Frame{Body: &pb.Frame_Refused{Refused: r}}
	}
	return &pb.Frame{Body: &pb.Frame_Joined{Joined: joined}}
}

// errInvalid marks a request that is none.
var errInvalid = errors.New("not a valid request")

func (d *Desk) join(ctx context.Context, j *pb.Join) (*pb.Joined, error) {
	a, err := admission(j)
	if err != nil {
		return nil, err
	}
	tenant, err := d.Store.JoinKeyTenant(ctx, a.Key)
	if errors.Is(err, store.ErrNotFound) {
		err = store.ErrKeyUnknown
	}
	if err != nil {
		return nil, err
	}
	node, err := d.Store.For(tenant).Admit(ctx, a)
	if err != nil {
		return nil, err
	}
	chain, err := d.issue(ctx, tenant, node.ID, j.Csr)
	if err != nil {
		return nil, err
	}
	d.Log.Info("node joined", logx.Tenant, tenant, logx.Network, node.Network, logx.Node, node.ID, logx.Name, node.Name, "pending", node.Pending)
	return &pb.Joined{Tenant: uint64(tenant), Network: uint64(node.Network), Node: uint64(node.ID), Chain: chain, Root: d.Issuer.Root(),
		Record: node.Record, Pending: node.Pending, TimeMs: d.Now().UnixMilli()}, nil
}

func admission(j *pb.Join) (store.Admission, error) {
	secret, err := key.ParseSecret(j.Secret)
	if err != nil {
		return store.Admission{}, store.ErrKeyUnknown
	}
	id, err := requester(j.Csr)
	if err != nil {
		return store.Admission{}, err
	}
	a := store.Admission{Key: ident.JoinKey(j.KeyId), Secret: secret, Wish: clean.Label(j.Hostname), Identity: id, Runs: store.ReportOf(j.GetSoftware())}
	for _, id := range j.Nodes[:min(len(j.Nodes), store.MaxClaims)] {
		a.Nodes = append(a.Nodes, ident.Node(id))
	}
	if copy(a.WG[:], j.WgKey) != len(j.WgKey) || len(j.WgKey) != len(a.WG) || a.WG.IsZero() {
		return store.Admission{}, errInvalid
	}
	return a, nil
}

// requester returns whose key signed a certificate request.
func requester(csr []byte) (key.IdentityPublic, error) {
	r, err := x509.ParseCertificateRequest(csr)
	if err == nil {
		err = r.CheckSignature()
	}
	if err != nil {
		return key.IdentityPublic{}, errors.Join(errInvalid, err)
	}
	id, err := key.PublicOf(r.PublicKey)
	if err != nil {
		return id, errors.Join(errInvalid, err)
	}
	return id, nil
}

// Renew answers a node's request for a new certificate. The key must be the one that it joined with: a stolen session must not
// become a stolen identity.
func (d *Desk) Renew(ctx context.Context, tenant ident.Tenant, node ident.Node, csr []byte) *pb.Frame {
	chain, err := d.renew(ctx, tenant, node, csr)
	if err != nil {
		d.Log.Warn("certificate not renewed", logx.Node, node, logx.Err, err)
		return &pb.Frame{Body: &pb.Frame_Refused{Refused: refuse(err)}}
	}
	return &pb.Frame{Body: &pb.Frame_Renewed{Renewed: &pb.Renewed{Chain: chain}}}
}

func (d *Desk) renew(ctx context.Context, tenant ident.Tenant, id ident.Node, csr []byte) ([][]byte, error) {
	who, err := requester(csr)
	if err != nil {
		return nil, err
	}
	node, err := d.Store.For(tenant).Node(ctx, id)
	if err != nil {
		return nil, err
	}
	if who != node.Identity {
		return nil, errInvalid
	}
	return d.issue(ctx, tenant, id, csr)
}

// issue signs, and notes the certificate. While the note cannot be written the certificate is as good, but no revocation list will have it.
func (d *Desk) issue(ctx context.Context, tenant ident.Tenant, node ident.Node, csr []byte) ([][]byte, error) {
	chain, until, err := d.Issuer.IssueNode(ctx, tenant, node, csr)
	if err != nil {
		return nil, err
	}
	note, err := noteOf(chain, until)
	if err == nil {
		err = d.Store.For(tenant).Renewed(ctx, node, note)
	}
	if err != nil {
		d.Log.Warn("certificate not noted", logx.Node, node, logx.Err, err)
	}
	return chain, nil
}

// noteOf says of a node's chain what the store keeps.
func noteOf(chain [][]byte, until time.Time) (store.Certificate, error) {
	c := store.Certificate{NotAfter: until}
	if len(chain) != 2 {
		return c, errors.New("the authority has given no chain of two")
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return c, err
	}
	issuer, err := x509.ParseCertificate(chain[1])
	if err != nil {
		return c, err
	}
	return store.CertificateOf(leaf, issuer), nil
}
