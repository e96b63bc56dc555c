package session

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"time"

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
	l.mu.Lock()
	endpoints := l.endpoints
	l.mu.Unlock()
	h := &pb.Hello{VersionMin: control.VersionMin, VersionMax: control.Version, InstanceId: l.instance, Software: l.cfg.Software, Signed: signed}
	if l.distrust < 2 { // refused twice: ask for everything
		h.Cursor = l.cfg.Table.Cursor()
	}
	if endpoints != nil {
		h.Report = &pb.Report{Endpoints: endpoints}
		l.sentReport, l.lastReport = endpoints, time.Now()
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

// report sends the endpoints if the controller has others.
func (l *link) report(ctx context.Context) *ending {
	l.reportAt = time.Time{}
	l.mu.Lock()
	endpoints := l.endpoints
	l.mu.Unlock()
	if slices.EqualFunc(endpoints, l.sentReport, bytes.Equal) {
		return nil
	}
	l.sentReport, l.lastReport = endpoints, time.Now()
	return l.sendOr(ctx, &pb.Frame{Body: &pb.Frame_Report{Report: &pb.Report{Endpoints: endpoints}}})
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
