package session

import (
	"context"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

func (l *link) hello(ctx context.Context) error {
	signed, err := l.current()
	if err != nil {
		l.log.Warn("own record not signed", logx.Err, err)
	}
	reach := l.latest()
	h := &pb.Hello{VersionMin: control.VersionMin, VersionMax: control.Version, InstanceId: l.instance, Software: l.cfg.Software, Signed: signed}
	if l.distrust < 2 { // refused twice: ask for everything
		h.Cursor, h.RulesName = l.cfg.Table.Cursor(), l.cfg.Table.Rules()
		l.sentRules = h.RulesName
	}
	if reach != nil {
		h.Report = reach
		l.sentReport, l.lastReport = reach, time.Now()
	}
	if signed != nil {
		l.sentSigned = signed.Record
	}
	return l.send(ctx, &pb.Frame{Body: &pb.Frame_Hello{Hello: h}})
}

// ping asks whether the controller is there.
func (l *link) ping(ctx context.Context, within time.Duration) *ending {
	if l.welcomed.IsZero() {
		return nil
	}
	by := time.Now().Add(within)
	if l.nonce != 0 {
		if by.Before(l.pongBy) {
			l.pongBy = by
		}
		return nil
	}
	l.nonce, l.pongBy = rand.Uint64()|1, by
	return l.sendOr(ctx, &pb.Frame{Body: &pb.Frame_Ping{Ping: &pb.Ping{Nonce: l.nonce}}})
}

func (l *link) latest() *pb.Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reach
}

// report says where the node can be reached if the controller knows it otherwise.
func (l *link) report(ctx context.Context) *ending {
	l.reportAt = time.Time{}
	reach := l.latest()
	if proto.Equal(reach, l.sentReport) {
		return nil
	}
	l.sentReport, l.lastReport = reach, time.Now()
	return l.sendOr(ctx, &pb.Frame{Body: &pb.Frame_Report{Report: reach}})
}

// punch asks for a common start with a peer.
func (l *link) punch(ctx context.Context, peer ident.Node) *ending {
	if l.welcomed.IsZero() {
		return nil
	}
	l.attempts++
	return l.sendOr(ctx, &pb.Frame{Body: &pb.Frame_Punch{Punch: &pb.Punch{Peer: uint64(peer), Generation: l.attempts}}})
}

// leave says goodbye, so that the others see at once that this node is offline.
func (l *link) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = l.send(ctx, &pb.Frame{Body: &pb.Frame_Goaway{Goaway: &pb.Goaway{Reason: pb.GoawayReason_GOAWAY_REASON_LEAVING}}})
}

func (l *link) sendOr(ctx context.Context, f *pb.Frame) *ending {
	if err := l.send(ctx, f); err != nil {
		if ctx.Err() != nil {
			return &ending{stopped: true}
		}
		e := lost(err)
		return &e
	}
	return nil
}

func (l *link) send(ctx context.Context, f *pb.Frame) error {
	return send(ctx, l.st, f)
}

func send(ctx context.Context, st stream.Stream, f *pb.Frame) error {
	b, err := control.AppendFrame(nil, f)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return st.Send(ctx, b)
}
