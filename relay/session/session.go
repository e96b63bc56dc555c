// Package session keeps a relay's session with its controller alive: the shell around the relay's half of the node stream
// (proto/control). It says what the relay is, hears whom to admit, and renews the certificate. A relay without its controller goes
// on: losing it is a log line, and another try.
//
// Run's goroutine calls the functions in Config, one at a time. Changed and State may be called from any goroutine.
package session

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/internal/base/version"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// Times of one session.
const (
	dialTimeout = 20 * time.Second
	sendTimeout = 10 * time.Second
	reportEvery = 10 * time.Second
	silence     = 45 * time.Second // a controller that says nothing for so long is asked
	patience    = 15 * time.Second // and has so long to answer, as it has for Welcome
	waitLeast   = 200 * time.Millisecond
	waitMost    = 30 * time.Second
	stable      = 20 * time.Second // a session that lived so long makes the next wait short
	askedMost   = time.Hour
	renewRetry  = 10 * time.Minute
)

// Membership is what makes a machine a relay of a controller, but for its private key.
type Membership struct {
	Relay   ident.Relay
	Leaf    []byte // DER
	Root    []byte // DER
	Pin     [32]byte
	Addrs   []string // of controllers, from the key
	Learned []string // of controllers, from themselves; tried first
}

// Dialer connects to a controller; stream.Dial is one.
type Dialer func(ctx context.Context, cfg stream.DialConfig) (stream.Stream, error)

// Config is what a session works with.
type Config struct {
	Membership
	Identity  key.Identity
	Clock     *session.Clock
	Transport stream.Transport
	Dial      Dialer // nil: stream.Dial
	// Status says how the relay is; with counts only when all is set.
	Status func(all bool) *pb.RelayStatus
	// Update takes a piece of whom to admit.
	Begin  func()
	Update func(*pb.RelayUpdate) error
	// Renewed keeps a new certificate and takes it into use; Moved keeps where else the controller is.
	Renewed func(leaf []byte) error
	Moved   func(addrs []string) error
	Log     *slog.Logger
}

// Session is one relay's way to its controller.
type Session struct {
	cfg      Config
	instance [16]byte
	changed  chan struct{} // holds one
	renewAt  time.Time     // not before

	mu     sync.Mutex
	state  State
	spoken time.Time // since when it was connected before the controller fell silent
	line   int       // counts connections
}

// New returns a session; Run does the rest.
func New(cfg Config) *Session {
	if cfg.Dial == nil {
		cfg.Dial = stream.Dial
	}
	s := &Session{cfg: cfg, changed: make(chan struct{}, 1), state: State{Phase: Away, Since: time.Now()}}
	rand.Read(s.instance[:])
	return s
}

// Changed says that the status differs in more than its counters: it is reported at once.
func (s *Session) Changed() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Run keeps the session until ctx is done.
func (s *Session) Run(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		lived, least, err := s.once(ctx)
		if ctx.Err() != nil {
			return
		}
		s.away(err)
		if lived >= stable {
			failures = 0
		}
		failures++
		bound := min(waitMost, waitLeast<<min(failures, 16))
		wait := max(waitLeast+mathrand.N(bound), min(least, askedMost))
		s.cfg.Log.Warn("no session with the controller; the relay goes on without", logx.Err, err, "wait", wait.Round(time.Millisecond))
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
}

// goaway is why a controller ended the session.
type goaway struct{ *pb.Goaway }

// Error implements error.
func (g goaway) Error() string {
	said := clean.Line(g.Message, 200)
	if hint := clean.Line(g.Hint, 300); hint != "" {
		said += "; " + hint
	}
	return "the controller says: " + said
}

// once lives through one connection.
func (s *Session) once(ctx context.Context) (lived, least time.Duration, err error) {
	dialing, cancel := context.WithTimeout(ctx, dialTimeout)
	st, err := s.cfg.Dial(dialing, stream.DialConfig{Addrs: s.addrs(), Transport: s.cfg.Transport, TLS: s.tls(), Limit: control.MaxFrame, Silent: s.dialing()})
	cancel()
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	l := &link{Session: s, st: st, frames: make(chan *pb.Frame), heard: began}
	done, received := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(received)
		l.receive(done)
	}()
	err = l.live(ctx)
	close(done)
	st.Close()
	<-received
	if g, ok := errors.AsType[goaway](err); ok {
		least = time.Duration(g.RetryAfterMs) * time.Millisecond
	}
	if l.welcomed {
		lived = time.Since(began)
	}
	return lived, least, err
}

func (s *Session) addrs() []string {
	all := slices.Clone(s.cfg.Learned)
	for _, a := range s.cfg.Addrs {
		if !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

func (s *Session) tls() *tls.Config {
	cert := &tls.Certificate{Certificate: [][]byte{s.cfg.Leaf, s.cfg.Root}, PrivateKey: s.cfg.Identity.Signer()}
	return stream.ClientTLS{Pin: s.cfg.Pin, Now: s.cfg.Clock.Instant, Certificate: cert}.Config()
}

// link is one connection's life, owned by Run's goroutine.
type link struct {
	*Session
	st       stream.Stream
	frames   chan *pb.Frame
	err      error // why frames was closed; read after that
	welcomed bool
	heard    time.Time
	asked    bool // whether it is there
}

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

func (l *link) live(ctx context.Context) error {
	l.cfg.Begin()
	err := l.send(ctx, &pb.Frame{Body: &pb.Frame_RelayHello{RelayHello: &pb.RelayHello{VersionMin: control.VersionMin, VersionMax: control.Version,
		InstanceId: l.instance[:], Software: software(), Status: l.cfg.Status(true)}}})
	if err != nil {
		return err
	}
	report := time.NewTicker(reportEvery)
	defer report.Stop()
	for {
		select {
		case <-ctx.Done():
			_ = l.send(context.WithoutCancel(ctx), &pb.Frame{Body: &pb.Frame_RelayStatus{RelayStatus: l.cfg.Status(true)}})
			_ = l.send(context.WithoutCancel(ctx), &pb.Frame{Body: &pb.Frame_Goaway{Goaway: &pb.Goaway{Reason: pb.GoawayReason_GOAWAY_REASON_LEAVING}}})
			return ctx.Err()
		case f, ok := <-l.frames:
			if !ok {
				return l.err
			}
			err = l.frame(ctx, f)
		case <-l.changed:
			err = l.report(ctx, false)
		case <-report.C:
			if err = l.report(ctx, true); err == nil {
				err = l.tick(ctx)
			}
		}
		if err != nil {
			return err
		}
	}
}

func (l *link) report(ctx context.Context, all bool) error {
	if !l.welcomed {
		return nil
	}
	return l.send(ctx, &pb.Frame{Body: &pb.Frame_RelayStatus{RelayStatus: l.cfg.Status(all)}})
}

func (l *link) frame(ctx context.Context, f *pb.Frame) error {
	l.heard, l.asked = time.Now(), false
	if !l.welcomed && f.GetRelayWelcome() == nil && f.GetGoaway() == nil {
		return errors.New("the controller broke the protocol: its first frame is not a welcome")
	}
	switch b := f.Body.(type) {
	case *pb.Frame_RelayWelcome:
		return l.welcome(b.RelayWelcome)
	case *pb.Frame_Goaway:
		return goaway{b.Goaway}
	case *pb.Frame_RelayUpdate:
		return l.cfg.Update(b.RelayUpdate)
	case *pb.Frame_Ping:
		return l.send(ctx, &pb.Frame{Body: &pb.Frame_Pong{Pong: &pb.Pong{Nonce: b.Ping.Nonce}}})
	case *pb.Frame_Renewed:
		l.renewed(b.Renewed.Chain)
	case *pb.Frame_Refused:
		l.cfg.Log.Warn("certificate not renewed", logx.Err, clean.Line(b.Refused.Message, 200))
	}
	return nil
}

func (l *link) welcome(w *pb.RelayWelcome) error {
	if l.welcomed {
		return errors.New("the controller broke the protocol: it says welcome twice")
	}
	l.welcomed = true
	told := time.UnixMilli(w.TimeMs)
	l.cfg.Clock.Learn(told, end(l.cfg.Leaf))
	info := l.st.Info()
	ahead := time.Until(told)
	if w.TimeMs == 0 {
		ahead = 0 // it does not say
	}
	l.connected(info, ahead)
	l.cfg.Log.Info("session with the controller", logx.Transport, info.Transport, logx.Addr, info.Remote)
	addrs := acceptable(w.Addresses)
	if len(addrs) == 0 || slices.Equal(addrs, l.cfg.Learned) {
		return nil
	}
	l.cfg.Learned = addrs
	if err := l.cfg.Moved(addrs); err != nil {
		l.cfg.Log.Warn("the controller's other addresses are not kept", logx.Err, err)
	}
	return nil
}

// maxLearned bounds what a controller may add to the addresses in the key.
const maxLearned = 4

func acceptable(list []string) (out []string) {
	for _, a := range list {
		host, port, err := net.SplitHostPort(a)
		if err == nil && host != "" && port != "" && clean.Line(a, 255) == a && len(out) < maxLearned {
			out = append(out, a)
		}
	}
	return out
}

// tick asks a silent controller whether it is there, and for a new certificate when half of the old one's life is over.
func (l *link) tick(ctx context.Context) error {
	now := time.Now()
	switch quiet := now.Sub(l.heard); {
	case !l.welcomed && quiet > patience:
		return errors.New("the controller does not answer")
	case quiet > silence+patience:
		return errors.New("the controller does not answer any more")
	case quiet > silence && !l.asked:
		l.asked = true
		if err := l.send(ctx, &pb.Frame{Body: &pb.Frame_Ping{Ping: &pb.Ping{Nonce: mathrand.Uint64()}}}); err != nil {
			return err
		}
	}
	if !l.welcomed || now.Before(l.renewAt) || !due(l.cfg.Leaf, l.cfg.Clock.Now()) {
		return nil
	}
	l.renewAt = now.Add(renewRetry)
	csr, err := request(l.cfg.Identity)
	if err != nil {
		return err
	}
	return l.send(ctx, &pb.Frame{Body: &pb.Frame_Renew{Renew: &pb.Renew{Csr: csr}}})
}

func due(leaf []byte, now time.Time) bool {
	c, err := x509.ParseCertificate(leaf)
	return err == nil && now.After(c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore)/2))
}

func end(leaf []byte) time.Time {
	c, err := x509.ParseCertificate(leaf)
	if err != nil {
		return time.Time{}
	}
	return c.NotAfter
}

func (l *link) renewed(chain [][]byte) {
	if len(chain) == 0 {
		return
	}
	if err := l.cfg.check(chain[0], l.cfg.Identity.Public(), l.cfg.Clock.Instant()); err != nil {
		l.cfg.Log.Warn("new certificate not used", logx.Err, err)
		return
	}
	l.cfg.Leaf = chain[0]
	if err := l.cfg.Renewed(chain[0]); err != nil {
		l.cfg.Log.Error("new certificate not kept", logx.Err, err)
		return
	}
	l.cfg.Log.Info("certificate renewed")
}

func (l *link) send(ctx context.Context, f *pb.Frame) error {
	b, err := control.AppendFrame(nil, f)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return l.st.Send(ctx, b)
}

// check makes sure that a certificate is this relay's, for its key, under the pinned root.
func (m *Membership) check(leaf []byte, public key.IdentityPublic, when trust.Instant) error {
	c, err := x509.ParseCertificate(leaf)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	root, err := x509.ParseCertificate(m.Root)
	if err != nil {
		return fmt.Errorf("root certificate: %w", err)
	}
	n, err := trust.VerifyRelay([]*x509.Certificate{c, root}, m.Pin, when)
	if err != nil {
		return err
	}
	has, err := key.PublicOf(c.PublicKey)
	switch {
	case err != nil:
		return err
	case n.Relay != m.Relay:
		return errors.New("the certificate names another relay")
	case has != public:
		return errors.New("the certificate is for another key")
	}
	return nil
}

// request makes a certificate request. Nothing in it matters but the key and the proof that we have it.
func request(id key.Identity) ([]byte, error) {
	return x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, id.Signer())
}

func software() *pb.Software {
	return &pb.Software{Version: version.Get().Version, Os: runtime.GOOS, Arch: runtime.GOARCH}
}
