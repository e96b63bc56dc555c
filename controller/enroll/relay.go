package enroll

import (
	"context"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/proto/control/pb"
)

func (d *Desk) answerRelay(ctx context.Context, j *pb.RelayJoin) *pb.Frame {
	joined, err := d.joinRelay(ctx, j)
	if err != nil {
		r := refuseRelay(err)
		d.Log.Info("relay refused", logx.Reason, r.Reason.String(), logx.Err, err, "relay", ident.Relay(j.Relay))
		return &pb.Frame{Body: &pb.Frame_Refused{Refused: r}}
	}
	return &pb.Frame{Body: &pb.Frame_RelayJoined{RelayJoined: joined}}
}

func (d *Desk) joinRelay(ctx context.Context, j *pb.RelayJoin) (*pb.RelayJoined, error) {
	var secret key.Secret // none: a node that is to be a relay is known by the key of its identity
	if len(j.Secret) > 0 {
		var err error
		if secret, err = key.ParseSecret(j.Secret); err != nil {
			return nil, store.ErrKeyUnknown
		}
	}
	who, err := requester(j.Csr)
	if err != nil {
		return nil, err
	}
	r, err := d.Store.RedeemRelay(ctx, ident.Relay(j.Relay), secret, who)
	if err != nil {
		return nil, err
	}
	leaf, err := d.issueRelay(ctx, r.ID, j.Csr)
	if err != nil {
		return nil, err
	}
	if d.RelayJoined != nil {
		d.RelayJoined(r)
	}
	d.Log.Info("relay joined", "relay", r.ID, logx.Name, r.Name)
	return &pb.RelayJoined{Relay: uint64(r.ID), Chain: [][]byte{leaf}, Root: d.Issuer.Root(), TimeMs: d.Now().UnixMilli()}, nil
}

// RenewRelay answers a relay's request for a new certificate, as Renew does.
func (d *Desk) RenewRelay(ctx context.Context, id ident.Relay, csr []byte) *pb.Frame {
	leaf, err := d.renewRelay(ctx, id, csr)
	if err != nil {
		d.Log.Warn("relay's certificate not renewed", "relay", id, logx.Err, err)
		return &pb.Frame{Body: &pb.Frame_Refused{Refused: refuseRelay(err)}}
	}
	return &pb.Frame{Body: &pb.Frame_Renewed{Renewed: &pb.Renewed{Chain: [][]byte{leaf}}}}
}

func (d *Desk) renewRelay(ctx context.Context, id ident.Relay, csr []byte) ([]byte, error) {
	who, err := requester(csr)
	if err != nil {
		return nil, err
	}
	r, err := d.Store.Relay(ctx, id)
	if err != nil {
		return nil, err
	}
	if who != r.Identity {
		return nil, errInvalid
	}
	return d.issueRelay(ctx, id, csr)
}

func (d *Desk) issueRelay(ctx context.Context, id ident.Relay, csr []byte) (leaf []byte, err error) {
	leaf, until, err := d.Issuer.IssueRelay(id, csr)
	if err != nil {
		return nil, err
	}
	if err := d.Store.RelayRenewed(ctx, id, until.Round(time.Second)); err != nil {
		d.Log.Warn("end of a certificate not noted", "relay", id, logx.Err, err)
	}
	return leaf, nil
}
