package session

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
	"github.com/cvlan/cvlan/internal/node/session/sessiontest"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// desk answers joins as a controller would.
func (s *stage) desk(f *pb.Frame) *pb.Frame {
	csr, err := x509.ParseCertificateRequest(f.GetJoin().GetCsr())
	if err != nil || csr.CheckSignature() != nil {
		return &pb.Frame{Body: &pb.Frame_Refused{Refused: &pb.Refused{Reason: pb.RefusedReason_REFUSED_REASON_INVALID}}}
	}
	m := s.cfg.Membership
	return &pb.Frame{Body: &pb.Frame_Joined{Joined: &pb.Joined{Tenant: uint64(m.Tenant), Network: uint64(m.Network), Node: uint64(m.Node),
		Chain: s.Authority.Node(s.node, csr.PublicKey), Root: s.Root.Raw, Record: s.record(s.wg), TimeMs: time.Now().UnixMilli()}}}
}

func (s *stage) join(ctx context.Context, answer func(*pb.Frame) *pb.Frame, nodes ...ident.Node) (Membership, error) {
	s.net.serve = func(p stream.Stream) {
		if f, err := p.Recv(); err == nil {
			if a := answer(f); a != nil {
				s.say(p, a)
			}
		}
	}
	defer s.net.wg.Wait()
	return Join(ctx, ticket.Ticket{Kind: ticket.Join, Addrs: []string{"c:1"}, Pin: s.Pin(), ID: 3, Secret: key.NewSecret()},
		JoinConfig{Identity: s.id, WG: s.wg, Hostname: "box", Nodes: nodes, Dial: s.net.dial, Clock: s.cfg.Clock})
}

func TestAMachineThatIsANodeAlreadyHearsWhich(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		for named, want := range map[ident.Node]ident.Node{8: 8, 9: 0} { // 9 is none that the machine has spoken of
			_, err := s.join(t.Context(), func(f *pb.Frame) *pb.Frame {
				if n := f.GetJoin().Nodes; !slices.Equal(n, []uint64{7, 8}) {
					t.Errorf("it says to be %v", n)
				}
				return &pb.Frame{Body: &pb.Frame_Refused{Refused: &pb.Refused{Reason: pb.RefusedReason_REFUSED_REASON_MEMBER, Node: uint64(named)}}}
			}, 7, 8)
			if r, ok := errors.AsType[*Refused](err); !ok || r.Member != want {
				t.Errorf("it hears %v, want that it is %d", err, want)
			}
		}
	})
}

func TestJoinSurvivesALostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		var asked atomic.Int32
		m, err := s.join(t.Context(), func(f *pb.Frame) *pb.Frame {
			if asked.Add(1) == 1 {
				return nil
			}
			return s.desk(f)
		})
		if err != nil || m.Node != s.node || m.Pin != s.Pin() || asked.Load() != 2 {
			t.Fatalf("%+v, %v after %d", m, err, asked.Load())
		}
		if s.cfg.Clock.Heard().IsZero() {
			t.Fatal("the controller's time was not learned")
		}
	})
}

func TestRefusalIsTypedAndNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		_, err := s.join(t.Context(), func(*pb.Frame) *pb.Frame {
			return &pb.Frame{Body: &pb.Frame_Refused{Refused: &pb.Refused{Reason: pb.RefusedReason_REFUSED_REASON_USED_UP, Message: "used\x1b[2J up", Hint: "ask"}}}
		})
		var r *Refused
		if !errors.As(err, &r) || r.Reason != pb.RefusedReason_REFUSED_REASON_USED_UP || r.Message != "used\ufffd[2J up" || s.net.tries() != 1 {
			t.Fatalf("%v after %d", err, s.net.tries())
		}
	})
}

func TestJoinTriesUntilTimeIsUpAndSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.net.cut("connection refused")
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err := s.join(ctx, s.desk)
		var f *Failed
		if !errors.As(err, &f) || f.Code != codeUnreachable || s.net.tries() < 4 {
			t.Fatalf("%v after %d", err, s.net.tries())
		}
	})
}

func TestJoinBelievesOnlyThePinnedController(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.net.chain = sessiontest.New().Controller
		_, err := s.join(t.Context(), s.desk)
		var f *Failed
		if !errors.As(err, &f) || f.Code != codeUntrusted || s.net.tries() != 1 {
			t.Fatalf("%v after %d", err, s.net.tries())
		}
	})
}

func TestAdmissionWithOtherKeysIsRefusedByTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		_, err := s.join(t.Context(), func(f *pb.Frame) *pb.Frame {
			a := s.desk(f)
			a.GetJoined().Record = s.record(key.NewWGPrivate().Public())
			return a
		})
		var f *Failed
		if !errors.As(err, &f) || f.Code != codeProtocol {
			t.Fatal(err)
		}
	})
}
