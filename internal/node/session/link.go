package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// Times of one connection.
const (
	dialTimeout    = 20 * time.Second
	welcomeTimeout = 15 * time.Second
	sendTimeout    = 10 * time.Second
	// silence is how long the controller may say nothing before it is asked whether it is there. The transports' own keep-alives
	// are quicker; this finds what they cannot, such as a proxy that holds a dead connection open.
	silence = 4 * time.Minute
	// answer is how long it may take to answer.
	answer = 15 * time.Second
	// quick is the same after Wake: the network has changed, and the connection may be of the old one.
	quick = 5 * time.Second
	// reportEvery keeps flapping interfaces from becoming everybody's traffic.
	reportEvery = time.Second
)

// link is one connection's life, owned by Run's goroutine.
type link struct {
	*Session
	st     stream.Stream
	frames chan *pb.Frame
	err    error          // why frames was closed; read after that
	quiet  chan time.Time // of one: since when the controller does not answer; zero: it does

	welcomed   time.Time // zero before Welcome
	welcomeBy  time.Time
	spoken     State     // what was told before the controller fell silent, while it is
	heard      time.Time // the last frame
	nonce      uint64    // of the ping under way; 0: none
	pongBy     time.Time
	sentReport *pb.Report // what the controller has
	attempts   uint32     // punches asked for
	reportAt   time.Time
	lastReport time.Time
	sentSigned []byte // the record whose signature the controller has been sent
	sentRules  uint64 // the rules that the controller knows the node to apply
}

// once lives through one connection. lived is how long it was welcomed.
func (s *Session) once(ctx context.Context) (end ending, lived time.Duration) {
	s.update(func(st *State) {
		st.Phase, st.NextTry, st.Transport = Connecting, time.Time{}, ""
		st.Address = first(s.dialed())
	})
	quiet := make(chan time.Time, 1)
	st, err := s.dial(ctx, newest(quiet))
	if err != nil {
		return s.suspect(ending{problem: dialProblem(err)}), 0
	}
	l := &link{Session: s, st: st, frames: make(chan *pb.Frame), quiet: quiet}
	done := make(chan struct{})
	received := make(chan struct{})
	go func() {
		defer close(received)
		l.receive(done)
	}()
	end = l.live(ctx)
	if end.parted {
		l.drain()
	}
	close(done)
	st.Close()
	<-received
	if l.welcomed.IsZero() { // a refused certificate shows only after the handshake
		return s.suspect(end), 0
	}
	return end, time.Since(l.welcomed)
}

// newest returns a function that puts values into a channel of one, each in the place of one that still waits. One goroutine may call it.
func newest[T any](c chan T) func(T) {
	return func(v T) {
		select {
		case <-c:
		default:
		}
		c <- v
	}
}

// receive hands on frames until the stream ends or done is closed.
func (l *link) receive(done <-chan struct{}) {
	defer close(l.frames)
	for {
		f, err := l.st.Recv()
		if err != nil {
			l.err = err
			return
		}
		select {
		case l.frames <- f:
		case <-done:
			return
		}
	}
}

// farewell is how long either side may take to close after a goodbye.
const farewell = 500 * time.Millisecond

// drain waits until the other side, which has had or said the last word, has closed: then Close has nothing to wait for.
func (l *link) drain() {
	t := time.NewTimer(farewell)
	defer t.Stop()
	for {
		select {
		case _, more := <-l.frames:
			if !more {
				return
			}
		case <-t.C:
			return
		}
	}
}

func (l *link) live(ctx context.Context) ending {
	now := time.Now()
	l.heard, l.welcomeBy = now, now.Add(welcomeTimeout)
	if err := l.hello(ctx); err != nil {
		return lost(err)
	}
	timer := time.NewTimer(welcomeTimeout)
	defer timer.Stop()
	for {
		var end *ending
		select {
		case <-ctx.Done():
			l.leave()
			return ending{stopped: true, parted: true}
		case f, ok := <-l.frames:
			if !ok {
				return lost(l.err)
			}
			end = l.frame(ctx, f)
		case since := <-l.quiet:
			l.silent(since)
		case <-l.reported:
			l.reportAt = l.lastReport.Add(reportEvery)
		case <-l.wake:
			end = l.ping(ctx, quick)
		case <-l.restate:
			if !l.welcomed.IsZero() { // else the first map does it
				end = l.sign(ctx)
			}
		case <-l.turn:
			if !l.fits(l.st.Info().Transport) {
				l.leave()
				return ending{turned: true, parted: true}
			}
		case <-l.early:
			l.hurry = true
		case peer := <-l.punches:
			end = l.punch(ctx, peer)
		case <-timer.C:
		}
		if end == nil {
			end = l.tick(ctx)
		}
		if end != nil {
			return *end
		}
		timer.Reset(time.Until(l.deadline()))
	}
}

func lost(err error) ending {
	if errors.Is(err, stream.ErrRefused) {
		return ending{verdict: Expired, problem: &Problem{codeExpired, clean.Line(err.Error(), 200), "ask for a new join key and run: sudo cvlan logout, then sudo cvlan up --key-file FILE"}}
	}
	return ending{problem: &Problem{codeUnreachable, fmt.Sprintf("the connection to the controller was lost: %s", clean.Line(err.Error(), 200)), ""}}
}

func protocol(why string) *ending {
	return &ending{problem: &Problem{codeProtocol, "the controller broke the protocol: " + why, "upgrade the older of the two"}, least: waitMost}
}

// tick does what is due.
func (l *link) tick(ctx context.Context) *ending {
	now := time.Now()
	switch {
	case l.welcomed.IsZero() && !now.Before(l.welcomeBy):
		return &ending{problem: &Problem{codeUnreachable, "the controller accepted the connection but did not answer", ""}}
	case l.nonce != 0 && !now.Before(l.pongBy):
		return &ending{problem: &Problem{codeUnreachable, "the controller does not answer any more", ""}}
	case l.welcomed.IsZero():
		return nil
	}
	if l.nonce == 0 && now.Sub(l.heard) >= silence {
		if end := l.ping(ctx, answer); end != nil {
			return end
		}
	}
	if !l.reportAt.IsZero() && !now.Before(l.reportAt) {
		if end := l.report(ctx); end != nil {
			return end
		}
	}
	return l.renew(ctx)
}

// deadline is when tick has something to do again.
func (l *link) deadline() time.Time {
	if l.welcomed.IsZero() {
		return l.welcomeBy
	}
	d := l.heard.Add(silence)
	if l.nonce != 0 {
		d = l.pongBy
	}
	if !l.reportAt.IsZero() && l.reportAt.Before(d) {
		d = l.reportAt
	}
	return d // the renewal is asked about at each of these; minutes do not matter to it
}
