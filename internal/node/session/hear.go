package session

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// frame handles one frame of the controller's; a result ends the connection.
func (l *link) frame(ctx context.Context, f *pb.Frame) *ending {
	l.heard = time.Now()
	l.contact()
	l.silent(time.Time{})
	if l.welcomed.IsZero() && f.GetWelcome() == nil && f.GetGoaway() == nil {
		return protocol("its first frame is not Welcome")
	}
	switch b := f.Body.(type) {
	case *pb.Frame_Welcome:
		return l.welcome(b.Welcome)
	case *pb.Frame_Goaway:
		e := dismissed(b.Goaway)
		return &e
	case *pb.Frame_Map:
		return l.piece(ctx, b.Map)
	case *pb.Frame_Ping:
		return l.sendOr(ctx, &pb.Frame{Body: &pb.Frame_Pong{Pong: &pb.Pong{Nonce: b.Ping.Nonce}}})
	case *pb.Frame_Pong:
		if b.Pong.Nonce == l.nonce {
			l.nonce = 0
		}
	case *pb.Frame_Punch:
		if l.cfg.Punched != nil {
			l.cfg.Punched(ident.Node(b.Punch.Peer))
		}
	case *pb.Frame_Renewed:
		l.renewed(b.Renewed.Chain)
	case *pb.Frame_Refused:
		l.refused(b.Refused)
	}
	return nil // a newer controller may say what we do not know
}

func (l *link) welcome(w *pb.Welcome) *ending {
	if !l.welcomed.IsZero() {
		return protocol("it says Welcome twice")
	}
	if w.Version < control.VersionMin || w.Version > control.Version {
		return protocol(fmt.Sprintf("it chose version %d, which was not offered", w.Version))
	}
	l.welcomed, l.verbatim = time.Now(), w.Features&control.FeatureAmends == 0
	if !l.cfg.Clock.Learn(time.UnixMilli(w.TimeMs), until(l.chain)) {
		l.log.Warn("controller's clock is ahead of this node's certificate")
	}
	l.follow(w)
	info := l.st.Info()
	l.update(func(st *State) {
		st.Phase, st.Verdict, st.Problem = Connected, Fine, nil
		st.Since, st.Transport = l.cfg.Clock.Now(), info.Transport
		st.Proxy = info.Proxy
		if info.Remote.IsValid() {
			st.Address = info.Remote.String()
		}
	})
	l.log.Info("control session up", logx.Transport, string(info.Transport))
	return nil
}

// silent takes since when the controller has not answered, or that it does: zero. Silence ends nothing; who asks is told.
func (l *link) silent(since time.Time) {
	phase := l.State().Phase
	switch {
	case phase == Connected && !since.IsZero():
		since = l.cfg.Clock.Now().Add(-time.Since(since))
		l.update(func(st *State) {
			l.spoken = *st
			st.Phase, st.Since = Silent, since
			st.Problem = &Problem{codeSilent, "the controller has not answered since " + since.UTC().Format("15:04:05 UTC"), "check this machine's connection and that the controller runs"}
		})
		l.log.Info("controller is silent", logx.Took, time.Since(l.welcomed))
	case phase == Silent && since.IsZero():
		l.update(func(st *State) { st.Phase, st.Since, st.Problem = Connected, l.spoken.Since, l.spoken.Problem })
		l.log.Info("controller answers again")
	}
}

// piece hands a piece of the map on, and signs the node's record if the map shows a new one.
func (l *link) piece(ctx context.Context, m *pb.Map) *ending {
	if err := l.cfg.Table.Apply(ctx, m); err != nil {
		l.distrust++
		return &ending{problem: &Problem{codeMap, "the controller's map cannot be used: " + clean.Line(err.Error(), 200), "the daemon asks for it again; if this stays, upgrade the older of the two"}}
	}
	if m.More {
		return nil
	}
	l.distrust = 0
	if name := l.cfg.Table.Rules(); name != l.sentRules {
		l.sentRules = name
		if end := l.sendOr(ctx, &pb.Frame{Body: &pb.Frame_RulesApplied{RulesApplied: &pb.RulesApplied{RulesName: name}}}); end != nil {
			return end
		}
	}
	return l.sign(ctx)
}

// sign sends the node's signature over its record, unless the controller has it.
func (l *link) sign(ctx context.Context) *ending {
	signed, err := l.current()
	if err != nil {
		l.log.Warn("own record not signed", logx.Err, err)
		l.update(func(st *State) {
			st.Problem = &Problem{codeRecord, "the controller shows a record of this node that is not signed: " + clean.Line(err.Error(), 200), "the other nodes cannot use it; ask the controller's operator"}
		})
		return nil
	}
	if signed == nil || bytes.Equal(l.sentSigned, signed.Record) {
		return nil
	}
	l.sentSigned = signed.Record
	return l.sendOr(ctx, &pb.Frame{Body: &pb.Frame_Signed{Signed: signed}})
}
