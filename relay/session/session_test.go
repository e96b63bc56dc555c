package session

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/controller/ca"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
	node "github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// play is a relay's session in a bubble, and a controller that does what the story says.
type play struct {
	*testing.T
	ca       *ca.CA
	id       key.Identity
	member   Membership
	dials    int
	asked    []string           // the addresses of the last dial
	refuse   error              // dials fail with it
	lines    chan stream.Stream // the controller's ends
	mu       sync.Mutex
	updates  int
	kept     []byte
	moved    []string
	statuses int
	ahead    atomic.Int64 // of the relay's clock, nanoseconds
	silent   func(time.Time)
}

// calendar is what clocks show: the bubble's own begin in 2000, before this program was built.
func calendar() time.Time { return time.Now().AddDate(27, 0, 0) }

func (p *play) clock() time.Time { return calendar().Add(time.Duration(p.ahead.Load())) }

const relayID = 5

func bubble(t *testing.T, story func(*play)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &play{T: t, lines: make(chan stream.Stream, 64)}
		var err error
		if p.ca, err = ca.Open(t.Context(), ca.Config{Keeper: &ca.Memory{}, Domain: "k7mplant", Controller: 3, Now: calendar}); err != nil {
			t.Fatal(err)
		}
		if p.id, err = key.NewIdentity(); err != nil {
			t.Fatal(err)
		}
		p.member = Membership{Relay: relayID, Leaf: p.leaf(relayID, p.id), Root: p.ca.Root(), Pin: p.ca.Pin(), Addrs: []string{"192.0.2.1:8443"}}
		story(p)
	})
}

// locked is for what the session's goroutine and the story share.
func (p *play) locked(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
}

func (p *play) keeps() (leaf []byte) {
	p.locked(func() { leaf = p.kept })
	return leaf
}

func (p *play) leaf(r ident.Relay, id key.Identity) []byte {
	p.Helper()
	csr, err := request(id)
	if err != nil {
		p.Fatal(err)
	}
	der, _, err := p.ca.IssueRelay(r, csr)
	if err != nil {
		p.Fatal(err)
	}
	return der
}

func (p *play) dial(_ context.Context, cfg stream.DialConfig) (stream.Stream, error) {
	var refuse error
	p.locked(func() {
		p.dials++
		p.asked, refuse, p.silent = cfg.Addrs, p.refuse, cfg.Silent
	})
	if refuse != nil {
		return nil, refuse
	}
	here, there := stream.Pipe(stream.Info{Transport: stream.TCP}, stream.Info{Transport: stream.TCP})
	p.lines <- there
	return here, nil
}

// runs starts the session and returns how it is stopped.
func (p *play) runs() (s *Session, stop func()) {
	s = New(Config{Membership: p.member, Identity: p.id, Clock: node.NewClock(p.clock, time.Time{}), Dial: p.dial, Log: slog.New(slog.DiscardHandler),
		Status: func(bool) *pb.RelayStatus {
			p.locked(func() { p.statuses++ })
			return &pb.RelayStatus{Clients: 1}
		},
		Begin: func() {},
		Update: func(m *pb.RelayUpdate) error {
			if len(m.Tenants) > 0 {
				return errors.New("too large")
			}
			p.locked(func() { p.updates++ })
			return nil
		},
		Renewed: func(leaf []byte) error { p.locked(func() { p.kept = leaf }); return nil },
		Moved:   func(addrs []string) error { p.locked(func() { p.moved = addrs }); return nil },
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	return s, func() { cancel(); <-done }
}

// say sends a frame as the controller.
func (p *play) say(st stream.Stream, f *pb.Frame) {
	p.Helper()
	b, err := control.AppendFrame(nil, f)
	if err == nil {
		err = st.Send(context.Background(), b)
	}
	if err != nil {
		p.Fatal(err)
	}
}

// hear returns the next frame of the relay's that is not a status.
func (p *play) hear(st stream.Stream) *pb.Frame {
	p.Helper()
	for {
		f, err := st.Recv()
		if err != nil {
			return nil
		}
		if f.GetRelayStatus() == nil {
			return f
		}
	}
}

func welcome() *pb.Frame {
	return &pb.Frame{Body: &pb.Frame_RelayWelcome{RelayWelcome: &pb.RelayWelcome{Version: 1, Addresses: []string{"192.0.2.2:8443", "no address"}}}}
}

func TestARelayComesBackToItsController(t *testing.T) {
	bubble(t, func(p *play) {
		s, stop := p.runs()
		line := <-p.lines
		if h := p.hear(line).GetRelayHello(); h == nil || len(h.InstanceId) != 16 || h.Status.GetClients() != 1 {
			p.Fatalf("%v", h)
		}
		p.say(line, welcome())
		p.say(line, &pb.Frame{Body: &pb.Frame_RelayUpdate{RelayUpdate: &pb.RelayUpdate{Snapshot: true}}})
		p.say(line, &pb.Frame{Body: &pb.Frame_Ping{Ping: &pb.Ping{Nonce: 9}}})
		if f := p.hear(line); f.GetPong().GetNonce() != 9 || p.updates != 1 || !slices.Equal(p.moved, []string{"192.0.2.2:8443"}) {
			p.Fatalf("%v, %d updates, moved to %v", f, p.updates, p.moved)
		}
		s.Changed()
		line.Close()
		line = <-p.lines
		if !slices.Equal(p.asked, []string{"192.0.2.2:8443", "192.0.2.1:8443"}) {
			p.Errorf("asks at %v", p.asked)
		}
		p.hear(line)
		p.say(line, &pb.Frame{Body: &pb.Frame_Goaway{Goaway: &pb.Goaway{Reason: pb.GoawayReason_GOAWAY_REASON_RESTART, RetryAfterMs: 60_000}}})
		start := time.Now()
		line = <-p.lines
		if d := time.Since(start); d < time.Minute {
			p.Errorf("comes back after %v, before it was asked to", d)
		}
		go func() {
			for p.hear(line) != nil {
			}
			line.Close()
		}()
		stop()
	})
}

func TestHowTheControllerIsIsTold(t *testing.T) {
	bubble(t, func(p *play) {
		p.refuse = errors.New("nobody there")
		begun := time.Now()
		s, stop := p.runs()
		tells := func(when string, want State) {
			p.Helper()
			synctest.Wait()
			if got := s.State(); got != want {
				p.Errorf("%s: %+v, want %+v", when, got, want)
			}
		}
		time.Sleep(time.Second)
		tells("nobody answers", State{Phase: Away, Since: begun, Problem: "nobody there"})
		p.locked(func() { p.refuse = nil })
		line := <-p.lines
		p.hear(line)
		tells("no welcome yet", State{Phase: Away, Since: begun, Problem: "nobody there"})
		p.say(line, welcome())
		met := time.Now()
		tells("it says welcome", State{Phase: Connected, Since: met, Transport: "tcp"})
		time.Sleep(30 * time.Second)
		quiet := time.Now().Add(-8 * time.Second)
		first := p.silent
		first(quiet)
		tells("it does not answer", State{Phase: Silent, Since: quiet, Transport: "tcp"})
		first(time.Time{})
		tells("it answers again", State{Phase: Connected, Since: met, Transport: "tcp"})
		first(quiet)
		line.Close()
		left := time.Now()
		line = <-p.lines
		if got := s.State(); got.Phase != Away || !got.Since.Equal(left) || got.Problem == "" {
			p.Errorf("the connection ends: %+v", got)
		}
		p.hear(line)
		p.say(line, welcome())
		met = time.Now()
		synctest.Wait()
		first(quiet) // of the connection before
		tells("the next connection", State{Phase: Connected, Since: met, Transport: "tcp"})
		line.Close()
		line = <-p.lines
		p.hear(line)
		hello := welcome()
		hello.GetRelayWelcome().TimeMs = time.Now().Add(-70 * 24 * time.Hour).UnixMilli()
		p.say(line, hello)
		met = time.Now()
		tells("our clock is ahead", State{Phase: Connected, Since: met, Transport: "tcp", Clock: time.UnixMilli(hello.GetRelayWelcome().TimeMs).Sub(met)})
		p.say(line, &pb.Frame{Body: &pb.Frame_Goaway{Goaway: &pb.Goaway{Reason: pb.GoawayReason_GOAWAY_REASON_REMOVED, Message: "gone"}}})
		time.Sleep(2 * time.Second) // the line is closed in order
		synctest.Wait()
		if got := s.State(); got.Phase != Deleted || !strings.Contains(got.Problem, "gone") || got.Clock != 0 {
			p.Errorf("it deletes the relay: %+v", got)
		}
		stop()
	})
}

func TestAControllerThatBreaksTheProtocolIsLeft(t *testing.T) {
	bubble(t, func(p *play) {
		_, stop := p.runs()
		update := &pb.Frame{Body: &pb.Frame_RelayUpdate{RelayUpdate: &pb.RelayUpdate{}}}
		large := &pb.Frame{Body: &pb.Frame_RelayUpdate{RelayUpdate: &pb.RelayUpdate{Tenants: []*pb.RelayTenant{{}}}}}
		for name, frames := range map[string][]*pb.Frame{
			"no welcome": {update}, "two welcomes": {welcome(), welcome()}, "an update that cannot be used": {welcome(), large},
		} {
			line := <-p.lines
			p.hear(line)
			for _, f := range frames {
				p.say(line, f)
			}
			if f := p.hear(line); f != nil {
				p.Errorf("%s: %v", name, f)
			}
			line.Close()
		}
		line := <-p.lines // it says nothing at all
		start := time.Now()
		p.hear(line)
		if p.hear(line); time.Since(start) > time.Minute {
			p.Errorf("waits %v for a welcome", time.Since(start))
		}
		line.Close()
		var before int
		p.locked(func() { p.refuse, before = errors.New("nobody there"), p.dials })
		time.Sleep(10 * time.Minute)
		p.locked(func() { before = p.dials - before })
		if n := before; n < 15 || n > 80 {
			p.Errorf("%d tries in ten minutes", n)
		}
		stop()
	})
}

func TestACertificateIsRenewedAtHalfOfItsLife(t *testing.T) {
	bubble(t, func(p *play) {
		_, stop := p.runs()
		line := <-p.lines
		p.hear(line)
		p.say(line, welcome())
		p.ahead.Store(int64(ca.RelayLife/2 - 2*time.Hour))
		time.Sleep(30 * time.Second)
		synctest.Wait()
		p.ahead.Store(int64(ca.RelayLife / 2))
		p.locked(func() {
			if p.statuses < 3 {
				p.Errorf("%d reports in half a minute", p.statuses)
			}
		})
		other, err := key.NewIdentity()
		if err != nil {
			p.Fatal(err)
		}
		for _, bad := range [][]byte{p.leaf(relayID+1, p.id), p.leaf(relayID, other), []byte("none"), p.member.Leaf[:len(p.member.Leaf)-1]} {
			p.renews(line, bad)
			if p.keeps() != nil {
				p.Fatal("a certificate of somebody else is taken")
			}
		}
		good := p.leaf(relayID, p.id)
		p.renews(line, good)
		if !slices.Equal(p.keeps(), good) {
			p.Error("the new certificate is not kept")
		}
		go func() {
			for p.hear(line) != nil {
			}
			line.Close()
		}()
		stop()
	})
}

// renews waits until the relay asks for a certificate, answering pings meanwhile, and gives it one.
func (p *play) renews(line stream.Stream, leaf []byte) {
	p.Helper()
	for {
		f := p.hear(line)
		if f == nil {
			p.Fatal("the session has ended")
		}
		if ping := f.GetPing(); ping != nil {
			p.say(line, &pb.Frame{Body: &pb.Frame_Pong{Pong: &pb.Pong{Nonce: ping.Nonce}}})
		}
		if r := f.GetRenew(); r != nil {
			if csr, err := x509.ParseCertificateRequest(r.Csr); err != nil || !csr.PublicKey.(*ecdsa.PublicKey).Equal(p.id.Signer().Public()) {
				p.Fatalf("not for the relay's key: %v", err)
			}
			p.say(line, &pb.Frame{Body: &pb.Frame_Renewed{Renewed: &pb.Renewed{Chain: [][]byte{leaf}}}})
			synctest.Wait()
			return
		}
	}
}

func TestAJoinIsTriedUntilItIsAnswered(t *testing.T) {
	bubble(t, func(p *play) {
		k := ticket.Ticket{Kind: ticket.Relay, Addrs: []string{"192.0.2.1:8443"}, Pin: p.ca.Pin(), ID: relayID, Secret: key.NewSecret()}
		cfg := JoinConfig{Identity: p.id, Clock: node.NewClock(p.clock, time.Time{}), Dial: p.dial, Log: slog.New(slog.DiscardHandler)}
		answers := []*pb.Frame{
			{Body: &pb.Frame_Refused{Refused: &pb.Refused{Reason: pb.RefusedReason_REFUSED_REASON_UNAVAILABLE, Message: "later"}}},
			{Body: &pb.Frame_Goaway{Goaway: &pb.Goaway{Message: "restarting"}}},
			{Body: &pb.Frame_RelayJoined{RelayJoined: &pb.RelayJoined{Relay: relayID, Chain: [][]byte{p.member.Leaf}, Root: p.ca.Root(), TimeMs: calendar().UnixMilli()}}},
			{Body: &pb.Frame_Refused{Refused: &pb.Refused{Reason: pb.RefusedReason_REFUSED_REASON_USED_UP, Message: "used up", Hint: "make another"}}},
			{Body: &pb.Frame_RelayJoined{RelayJoined: &pb.RelayJoined{Relay: relayID, Chain: [][]byte{p.leaf(relayID+1, p.id)}, Root: p.ca.Root()}}},
			{Body: &pb.Frame_Pong{Pong: &pb.Pong{}}},
		}
		go func() {
			for _, a := range answers {
				line := <-p.lines
				if j := p.hear(line).GetRelayJoin(); j.GetRelay() != relayID || !slices.Equal(j.Secret, k.Secret.Bytes()) {
					p.Errorf("%v", j)
				}
				p.say(line, a)
				line.Close()
			}
		}()
		m, err := Join(p.Context(), k, cfg)
		if err != nil || m.Relay != relayID || m.Pin != k.Pin || !slices.Equal(m.Leaf, p.member.Leaf) || p.dials != 3 {
			p.Fatalf("%+v %v after %d dials", m, err, p.dials)
		}
		for range 3 {
			if _, err := Join(p.Context(), k, cfg); !isRefused(err) {
				p.Errorf("%v", err)
			}
		}
		p.refuse = errors.New("nobody there")
		ctx, cancel := context.WithTimeout(p.Context(), time.Minute)
		defer cancel()
		if _, err := Join(ctx, k, cfg); err == nil || isRefused(err) {
			p.Errorf("%v", err)
		}
	})
}

func isRefused(err error) bool {
	_, ok := errors.AsType[*Refused](err)
	return ok
}
