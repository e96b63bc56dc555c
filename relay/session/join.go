package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"time"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/base/ticket"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// JoinConfig is what a join needs besides the key.
type JoinConfig struct {
	Identity  key.Identity
	Addrs     []string // of controllers; nil: those in the key
	Clock     *session.Clock
	Transport stream.Transport
	Dial      Dialer // nil: stream.Dial
	Log       *slog.Logger
}

// Refused is a controller's answer that no retry will change.
type Refused struct{ Message, Hint string }

// Error implements error.
func (r *Refused) Error() string {
	if r.Hint == "" {
		return "the controller refuses: " + r.Message
	}
	return "the controller refuses: " + r.Message + "; " + r.Hint
}

const (
	joinAnswer = 30 * time.Second
	farewell   = 500 * time.Millisecond
)

// Join redeems a relay's key. It is idempotent for the pair of key and identity. What may pass by itself is tried again until ctx is
// done; a *Refused comes at once.
func Join(ctx context.Context, t ticket.Ticket, cfg JoinConfig) (Membership, error) {
	if cfg.Dial == nil {
		cfg.Dial = stream.Dial
	}
	if len(cfg.Addrs) == 0 {
		cfg.Addrs = t.Addrs
	}
	for failures := 1; ; failures++ {
		m, err := joinOnce(ctx, t, cfg)
		if _, refused := errors.AsType[*Refused](err); err == nil || refused {
			return m, err
		}
		wait := waitLeast + mathrand.N(min(waitMost, waitLeast<<min(failures, 16)))
		cfg.Log.Warn("the relay has not joined yet", logx.Err, err, "wait", wait.Round(time.Millisecond))
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return m, err
		case <-timer.C:
		}
	}
}

func joinOnce(ctx context.Context, t ticket.Ticket, cfg JoinConfig) (m Membership, err error) {
	csr, err := request(cfg.Identity)
	if err != nil {
		return m, fmt.Errorf("make a certificate request: %w", err)
	}
	f, err := exchange(ctx, t, cfg, &pb.Frame{Body: &pb.Frame_RelayJoin{RelayJoin: &pb.RelayJoin{
		Relay: t.ID, Secret: t.Secret.Bytes(), Csr: csr, Software: software()}}})
	if err != nil {
		return m, err
	}
	switch b := f.Body.(type) {
	case *pb.Frame_RelayJoined:
		j := b.RelayJoined
		m = Membership{Relay: ident.Relay(j.Relay), Root: j.Root, Pin: t.Pin, Addrs: cfg.Addrs}
		if len(j.Chain) > 0 {
			m.Leaf = j.Chain[0]
		}
		if err := m.check(m.Leaf, cfg.Identity.Public(), cfg.Clock.Instant()); err != nil || m.Relay != ident.Relay(t.ID) {
			return m, &Refused{Message: fmt.Sprintf("its answer cannot be used: %v", err), Hint: "upgrade the older of the two"}
		}
		cfg.Clock.Learn(time.UnixMilli(j.TimeMs), end(m.Leaf))
		return m, nil
	case *pb.Frame_Refused:
		r := &Refused{clean.Line(b.Refused.Message, 200), clean.Line(b.Refused.Hint, 300)}
		if b.Refused.Reason == pb.RefusedReason_REFUSED_REASON_UNAVAILABLE {
			return m, errors.New(r.Error())
		}
		return m, r
	case *pb.Frame_Goaway:
		return m, goaway{b.Goaway}
	default:
		return m, &Refused{Message: "it does not know relays", Hint: "upgrade the controller"}
	}
}

// exchange sends one frame on a stream of its own and returns the answer.
func exchange(ctx context.Context, t ticket.Ticket, cfg JoinConfig, f *pb.Frame) (*pb.Frame, error) {
	ctx, cancel := context.WithTimeout(ctx, joinAnswer)
	defer cancel()
	st, err := cfg.Dial(ctx, stream.DialConfig{Addrs: cfg.Addrs, Transport: cfg.Transport, TLS: stream.ClientTLS{Pin: t.Pin, Now: cfg.Clock.Instant}.Config()})
	if err != nil {
		return nil, err
	}
	defer st.Close()
	stop := context.AfterFunc(ctx, func() { st.Close() })
	defer stop()
	b, err := control.AppendFrame(nil, f)
	if err == nil {
		err = st.Send(ctx, b)
	}
	if err != nil {
		return nil, err
	}
	answer, err := st.Recv()
	if err == nil { // the controller closes after its answer; then our Close has nothing to wait for
		last := time.AfterFunc(farewell, func() { st.Close() })
		defer last.Stop()
		_, _ = st.Recv()
	}
	return answer, err
}
