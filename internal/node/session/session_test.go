package session

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/version"
	"github.com/cvlan/cvlan/internal/node/session/sessiontest"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// table is a map of one field: the node's own record.
type table struct {
	mu      sync.Mutex
	cursor  *pb.Cursor
	record  []byte
	refuse  error
	applied int
}

func (t *table) Rules() uint64 { return 0 }

func (t *table) Cursor() *pb.Cursor {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cursor
}

func (t *table) Apply(_ context.Context, m *pb.Map) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refuse != nil {
		return t.refuse
	}
	t.applied++
	t.cursor = m.To
	if m.Self != nil {
		t.record = m.Self.Record
	}
	return nil
}

func (t *table) Self() ([]byte, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.record, false
}

// stage is a node, its session and a controller that a test scripts.
type stage struct {
	*testing.T
	*sessiontest.Authority
	net     *network
	table   *table
	id      key.Identity
	wg      key.WGPublic
	node    ident.Node
	cfg     Config
	session *Session
	frames  chan *pb.Frame // what the controller received
	mu      sync.Mutex
	live    stream.Stream // the controller's end of the newest connection
	hello   *pb.Hello
	greet   func(*pb.Hello) *pb.Frame // what to answer; nil: Welcome
	stop    func()
}

func newStage(t *testing.T) *stage {
	time.Sleep(time.Until(version.BuildTime().AddDate(0, 1, 0))) // a bubble begins in 2000, before any build
	a := sessiontest.New()
	id, err := key.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{T: t, Authority: a, table: &table{}, id: id, wg: key.NewWGPrivate().Public(), node: ident.New[ident.Node](), frames: make(chan *pb.Frame, 100)}
	s.net = &network{serve: s.serve, chain: a.Controller}
	s.cfg = Config{
		Membership: Membership{Tenant: a.Tenant, Network: ident.New[ident.Network](), Node: s.node, Chain: a.Node(s.node, &id.Signer().PublicKey),
			Root: a.Root.Raw, Pin: a.Pin(), Addrs: []string{"controller:443"}},
		Identity: id, WG: s.wg, Dial: s.net.dial, Clock: NewClock(nil, time.Time{}), Table: s.table, Log: slog.New(slog.DiscardHandler),
	}
	return s
}

func (s *stage) record(wg key.WGPublic) []byte {
	return control.Record{Node: s.node, Identity: s.id.Public(), WG: wg, Address4: netip.MustParseAddr("10.9.0.4"), Name: "box", Revision: 1}.Encode()
}

// run starts the session; the test ends it with end.
func (s *stage) run() {
	s.session = New(s.cfg)
	ctx, cancel := context.WithCancel(s.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.session.Run(ctx) }()
	s.stop = func() { cancel(); <-done; s.net.wg.Wait() }
	synctest.Wait()
}

func (s *stage) serve(p stream.Stream) {
	f, err := p.Recv()
	if err != nil {
		return
	}
	if f.GetHello() == nil {
		s.say(p, s.greet(nil))
		return
	}
	s.mu.Lock()
	s.live, s.hello = p, f.GetHello()
	greet := s.greet
	s.mu.Unlock()
	answer := welcome()
	if greet != nil {
		answer = greet(f.GetHello())
	}
	s.say(p, answer)
	if answer.GetGoaway() != nil {
		return
	}
	for {
		f, err := p.Recv()
		if err != nil {
			return
		}
		s.frames <- f
	}
}

func welcome() *pb.Frame {
	return &pb.Frame{Body: &pb.Frame_Welcome{Welcome: &pb.Welcome{Version: 1, TimeMs: time.Now().UnixMilli()}}}
}

func goaway(r pb.GoawayReason, after time.Duration) *pb.Frame {
	return &pb.Frame{Body: &pb.Frame_Goaway{Goaway: &pb.Goaway{Reason: r, RetryAfterMs: uint32(after.Milliseconds())}}}
}

func (s *stage) say(p stream.Stream, f *pb.Frame) {
	b, err := control.AppendFrame(nil, f)
	if err != nil {
		panic(err)
	}
	_ = p.Send(context.Background(), b)
}

// tell sends a frame on the newest connection and waits until the session has dealt with it.
func (s *stage) tell(f *pb.Frame) {
	s.mu.Lock()
	p := s.live
	s.mu.Unlock()
	s.say(p, f)
	synctest.Wait()
}

func (s *stage) heard() *pb.Frame {
	s.Helper()
	synctest.Wait()
	select {
	case f := <-s.frames:
		return f
	default:
		s.Fatal("the controller heard nothing")
		return nil
	}
}

func (s *stage) quiet() {
	s.Helper()
	synctest.Wait()
	select {
	case f := <-s.frames:
		s.Fatalf("the controller heard %v", f)
	default:
	}
}

func TestSessionResumesAnswersAndLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.table.cursor = &pb.Cursor{Epoch: 1, Hard: 7}
		s.run()
		if st := s.session.State(); st.Phase != Connected || st.Transport != "tcp" || st.Problem != nil {
			t.Fatalf("after Welcome: %+v", st)
		}
		if s.hello.Cursor.GetHard() != 7 || len(s.hello.InstanceId) != 16 {
			t.Fatalf("hello %v", s.hello)
		}
		s.tell(&pb.Frame{Body: &pb.Frame_Ping{Ping: &pb.Ping{Nonce: 42}}})
		if n := s.heard().GetPong().GetNonce(); n != 42 {
			t.Fatalf("pong %d", n)
		}
		s.stop()
		if r := s.heard().GetGoaway().GetReason(); r != pb.GoawayReason_GOAWAY_REASON_LEAVING {
			t.Fatalf("left with %v", r)
		}
	})
}

func TestNewRecordIsSignedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.run()
		defer s.stop()
		record := s.record(s.wg)
		show := func(hard uint64) {
			s.tell(&pb.Frame{Body: &pb.Frame_Map{Map: &pb.Map{To: &pb.Cursor{Hard: hard}, Self: &pb.Self{Record: record}}}})
		}
		show(1)
		signed := s.heard().GetSigned()
		if !bytes.Equal(signed.GetRecord(), record) || !s.id.Public().Verify(control.Transcript(s.Tenant, s.cfg.Membership.Network, record), signed.GetSignature()) {
			t.Fatalf("signed %v", signed)
		}
		show(2)
		s.quiet()
		s.drop()
		time.Sleep(time.Minute)
		synctest.Wait()
		if !bytes.Equal(s.hello.GetSigned().GetSignature(), signed.Signature) {
			t.Fatal("the next Hello carries another signature or none")
		}
	})
}

// drop cuts the newest connection without a word.
func (s *stage) drop() {
	s.mu.Lock()
	p := s.live
	s.mu.Unlock()
	p.Close()
	synctest.Wait()
}

func TestForeignKeyInOwnRecordIsNotSigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.run()
		defer s.stop()
		record := s.record(key.NewWGPrivate().Public())
		s.tell(&pb.Frame{Body: &pb.Frame_Map{Map: &pb.Map{To: &pb.Cursor{Hard: 1}, Self: &pb.Self{Record: record}}}})
		s.quiet()
		if p := s.session.State().Problem; p == nil || p.Code != codeRecord {
			t.Fatalf("problem %v", p)
		}
	})
}

func TestReportsAreSentWhenTheyChangeAndNotFasterThanOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.run()
		defer s.stop()
		at := func(port uint16) []netip.AddrPort {
			return []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr("192.0.2.7"), port)}
		}
		s.session.Report(Reach{Endpoints: at(1)})
		first := s.heard().GetReport().GetEndpoints()
		if e, ok := control.ParseEndpoint(first[0]); !ok || e.Port() != 1 {
			t.Fatalf("reported %v", first)
		}
		s.session.Report(Reach{Endpoints: at(1)})
		s.session.Report(Reach{Endpoints: at(2)})
		s.session.Report(Reach{Endpoints: at(3)})
		s.quiet()
		time.Sleep(reportEvery)
		if e, _ := control.ParseEndpoint(s.heard().GetReport().GetEndpoints()[0]); e.Port() != 3 {
			t.Fatalf("reported %v, want the newest", e)
		}
		s.quiet()
		s.session.Report(Reach{Endpoints: at(3)})
		time.Sleep(time.Minute)
		s.quiet()
	})
}

func TestCertificateIsRenewedFromHalfItsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		var kept [][]byte
		s.cfg.Renewed = func(c [][]byte) error { kept = c; return nil }
		s.cfg.Random = func(d time.Duration) time.Duration { return d / 2 }
		s.run()
		defer s.stop()
		asked := time.Time{}
		began := time.Now()
		for asked.IsZero() && time.Since(began) < 60*24*time.Hour {
			time.Sleep(time.Minute)
			synctest.Wait()
			for len(s.frames) > 0 {
				switch f := <-s.frames; {
				case f.GetPing() != nil:
					s.tell(&pb.Frame{Body: &pb.Frame_Pong{Pong: &pb.Pong{Nonce: f.GetPing().Nonce}}})
				case f.GetRenew() != nil:
					asked = time.Now()
				}
			}
		}
		if d := asked.Sub(began); d < 30*24*time.Hour-2*time.Hour || d > 31*24*time.Hour+time.Hour {
			t.Fatalf("asked after %v", d)
		}
		// A chain for another node is not used; the right one is, at the next try.
		s.tell(&pb.Frame{Body: &pb.Frame_Renewed{Renewed: &pb.Renewed{Chain: s.Authority.Node(ident.New[ident.Node](), &s.id.Signer().PublicKey)}}})
		if kept != nil {
			t.Fatal("another node's certificate was kept")
		}
		s.session.Wake()
		time.Sleep(renewLeast + silence)
		synctest.Wait()
		var renew *pb.Renew
		for len(s.frames) > 0 {
			if f := <-s.frames; f.GetRenew() != nil {
				renew = f.GetRenew()
			}
		}
		if renew != nil {
			s.tell(&pb.Frame{Body: &pb.Frame_Renewed{Renewed: &pb.Renewed{Chain: s.Authority.Node(s.node, &s.id.Signer().PublicKey)}}})
		}
		if kept == nil || !s.session.State().CertUntil.After(began.Add(80*24*time.Hour)) {
			t.Fatalf("renewal asked %v, kept %v, until %v", renew != nil, kept != nil, s.session.State().CertUntil)
		}
	})
}

func TestSilentControllerIsLeftAndFoundAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.run()
		defer s.stop()
		time.Sleep(silence + time.Second)
		if s.heard().GetPing() == nil {
			t.Fatal("silence was not questioned")
		}
		time.Sleep(answer + time.Second)
		synctest.Wait()
		if n := s.net.tries(); n < 2 {
			t.Fatalf("%d connections", n)
		}
		if s.session.State().Phase != Connected {
			t.Fatalf("%+v", s.session.State())
		}
	})
}

// A connection that stands while nobody answers on it is no connection to whoever asks, and nothing is given up for it.
func TestAControllerThatDoesNotAnswerIsToldAndTheSessionKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		var say func(time.Time)
		s.cfg.Dial = func(ctx context.Context, to Target) (stream.Stream, error) {
			say = to.Silent
			return s.net.dial(ctx, to)
		}
		s.run()
		defer s.stop()
		before := s.session.State()
		time.Sleep(time.Minute)
		since := s.session.cfg.Clock.Now().Add(-8 * time.Second)
		say(time.Now().Add(-8 * time.Second))
		synctest.Wait()
		st := s.session.State()
		if st.Phase != Silent || !st.Since.Equal(since) || st.Problem == nil || st.Problem.Code != codeSilent || !strings.Contains(st.Problem.What, since.UTC().Format("15:04:05")) {
			t.Fatalf("%+v, %v", st, st.Problem)
		}
		say(time.Time{})
		synctest.Wait()
		if now := s.session.State(); now.Phase != Connected || now.Since != before.Since || now.Problem != nil {
			t.Fatalf("answers again: %+v", now)
		}
		say(time.Now())
		synctest.Wait()
		s.tell(&pb.Frame{Body: &pb.Frame_Ping{Ping: &pb.Ping{Nonce: 1}}})
		if s.heard(); s.session.State().Phase != Connected || s.net.tries() != 1 {
			t.Fatalf("a frame is an answer: %+v, %d connections", s.session.State(), s.net.tries())
		}
	})
}

func TestRemovedNodeIsToldSoAndHardlyAsksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.greet = func(*pb.Hello) *pb.Frame { return goaway(pb.GoawayReason_GOAWAY_REASON_REMOVED, 0) }
		s.run()
		defer s.stop()
		if st := s.session.State(); st.Verdict != Removed || st.Problem.Code != codeRemoved || st.Problem.Hint == "" {
			t.Fatalf("%+v", st)
		}
		s.session.Wake()
		time.Sleep(4 * time.Minute)
		if n := s.net.tries(); n != 1 {
			t.Fatalf("%d connections within 4 minutes", n)
		}
		s.mu.Lock()
		s.greet = nil // restored, say
		s.mu.Unlock()
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if st := s.session.State(); st.Verdict != Fine || st.Phase != Connected {
			t.Fatalf("after a Welcome: %+v", st)
		}
	})
}

func TestControllersWishForPeaceIsRespected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.greet = func(*pb.Hello) *pb.Frame { return goaway(pb.GoawayReason_GOAWAY_REASON_RESTART, 40*time.Second) }
		s.run()
		defer s.stop()
		s.session.Wake()
		time.Sleep(39 * time.Second)
		if n := s.net.tries(); n != 1 {
			t.Fatalf("%d connections before 40 s", n)
		}
		time.Sleep(22 * time.Second)
		if n := s.net.tries(); n != 2 {
			t.Fatalf("%d connections after 61 s", n)
		}
	})
}

func TestUnreachableControllerIsTriedLessAndLessAndAtOnceAfterWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.net.cut("connection refused")
		s.run()
		defer s.stop()
		time.Sleep(time.Hour)
		if n := s.net.tries(); n < 120 || n > 600 {
			t.Fatalf("%d attempts in an hour", n)
		}
		if p := s.session.State().Problem; p.Code != codeUnreachable {
			t.Fatalf("%+v", p)
		}
		s.net.cut("")
		s.session.Wake()
		synctest.Wait()
		if s.session.State().Phase != Connected {
			t.Fatalf("after Wake: %+v", s.session.State())
		}
	})
}

func TestMapThatIsRefusedTwiceIsAskedForWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.table.cursor, s.table.refuse = &pb.Cursor{Hard: 9}, errors.New("out of step")
		s.run()
		defer s.stop()
		for range 2 {
			if s.hello.Cursor == nil {
				t.Fatal("asked for everything too early")
			}
			s.tell(&pb.Frame{Body: &pb.Frame_Map{Map: &pb.Map{To: &pb.Cursor{Hard: 10}}}})
			time.Sleep(waitMost)
			synctest.Wait()
		}
		if s.hello.Cursor != nil {
			t.Fatalf("cursor %v after two refusals", s.hello.Cursor)
		}
	})
}

func TestExpiredCertificateIsAVerdictWithBothDates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		time.Sleep(61 * 24 * time.Hour)
		s.net.serve = func(stream.Stream) {} // what a refused certificate looks like in TLS 1.3
		s.run()
		defer s.stop()
		if st := s.session.State(); st.Verdict != Expired || st.Problem.Code != codeExpired {
			t.Fatalf("%+v %+v", st, st.Problem)
		}
	})
}

func TestAnotherControllerIsNotSpokenTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.net.chain = sessiontest.New().Controller
		s.run()
		defer s.stop()
		if p := s.session.State().Problem; p == nil || p.Code != codeUntrusted {
			t.Fatalf("%+v", p)
		}
	})
}

func TestACertificateIsRenewedWhenSomebodyWantsThat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		renewed := 0
		s.cfg.Renewed = func([][]byte) error { renewed++; return nil }
		s.run()
		defer s.stop()
		s.session.Renew()
		if s.heard().GetRenew() == nil {
			t.Fatal("nothing was asked for")
		}
		old := s.session.Credentials().Certificate
		s.tell(&pb.Frame{Body: &pb.Frame_Renewed{Renewed: &pb.Renewed{Chain: s.Authority.Node(s.node, &s.id.Signer().PublicKey)}}})
		if renewed != 1 || s.session.Credentials().Certificate == old {
			t.Error("the new certificate is not in use")
		}
		time.Sleep(time.Minute)
		s.quiet()
	})
}
