package session

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// Times of renewal. A certificate is renewed from half of its life on, which leaves the other half for a controller that is away.
const (
	renewAnswer = 30 * time.Second
	renewLeast  = 10 * time.Minute // between two tries
	renewMost   = 6 * time.Hour
	renewSpread = 24 * time.Hour // nodes that joined together do not renew together
)

// renewal is the certificate's schedule.
type renewal struct {
	from, to time.Time // of the certificate
	spread   time.Duration
	tries    int
	next     time.Time // not before this (our own clock); zero: whenever it is due
	asked    time.Time // zero: no request is under way
}

func newRenewal(random func(time.Duration) time.Duration, chain [][]byte) renewal {
	if random == nil {
		random = mathrand.N[time.Duration]
	}
	r := renewal{spread: random(renewSpread)}
	r.from, r.to = validity(chain)
	return r
}

// again is the schedule of the next certificate.
func (r *renewal) again(chain [][]byte, next time.Time) renewal {
	from, to := validity(chain)
	return renewal{from: from, to: to, spread: r.spread, next: next}
}

// due reports whether the certificate is to be renewed at believed time now. The spread is less for short lives.
func (r *renewal) due(now time.Time) bool {
	life := r.to.Sub(r.from)
	return life > 0 && !now.Before(r.from.Add(life/2+min(r.spread, life/8)))
}

// put makes the schedule wait after a try; each time longer.
func (r *renewal) put(off time.Time) {
	r.asked = time.Time{}
	r.next = off.Add(min(renewMost, renewLeast<<min(r.tries, 8)))
	r.tries++
}

// Renewal returns when a certificate valid from..to is renewed at the earliest; each node waits up to an eighth of its life longer.
func Renewal(from, to time.Time) time.Time { return from.Add(to.Sub(from) / 2) }

// renew asks for a new certificate when one is due, or wanted.
func (l *link) renew(ctx context.Context) *ending {
	r, now := &l.renewal, time.Now()
	if !r.asked.IsZero() && now.Sub(r.asked) >= renewAnswer {
		l.log.Warn("certificate not renewed", logx.Err, "the controller did not answer")
		r.put(now)
	}
	if !r.asked.IsZero() || !l.hurry && (now.Before(r.next) || !r.due(l.cfg.Clock.Now())) {
		return nil
	}
	l.hurry = false
	csr, err := request(l.cfg.Identity)
	if err != nil {
		l.log.Error("certificate request not made", logx.Err, err)
		r.put(now)
		return nil
	}
	r.asked = now
	return l.sendOr(ctx, &pb.Frame{Body: &pb.Frame_Renew{Renew: &pb.Renew{Csr: csr}}})
}

// renewed takes a new chain into use, if it is one for this node.
func (l *link) renewed(der [][]byte) {
	now := time.Now()
	if l.renewal.asked.IsZero() {
		return // not asked for
	}
	if err := l.cfg.Membership.verify(der, l.cfg.Identity.Public(), l.cfg.Clock.Instant()); err != nil {
		l.log.Warn("new certificate not used", logx.Err, err)
		l.renewal.put(now)
		return
	}
	l.chain, l.tickets = der, newTickets()
	l.show(der)
	l.renewal = l.renewal.again(der, now.Add(renewLeast))
	if l.cfg.Renewed != nil {
		if err := l.cfg.Renewed(der); err != nil {
			l.log.Error("new certificate not kept", logx.Err, err)
		}
	}
	l.update(func(st *State) { st.CertUntil = until(der) })
	l.log.Info("certificate renewed")
}

// refused notes that a renewal was not granted.
func (l *link) refused(r *pb.Refused) {
	if l.renewal.asked.IsZero() {
		return
	}
	l.log.Warn("certificate not renewed", logx.Reason, r.Reason.String(), logx.Err, clean.Line(r.Message, 200), logx.Hint, clean.Line(r.Hint, 300))
	l.renewal.put(time.Now())
}

// request makes a certificate request. Nothing in it matters but the key and the proof that we have it.
func request(id key.Identity) ([]byte, error) {
	return x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, id.Signer())
}

// verify checks that a chain is this membership's own: the node, the tenant, the key, under the pinned root.
func (m *Membership) verify(der [][]byte, public key.IdentityPublic, when trust.Instant) error {
	chain, err := parseChain(der)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	root, err := x509.ParseCertificate(m.Root)
	if err != nil {
		return fmt.Errorf("root certificate: %w", err)
	}
	if err := trust.CheckRoot(root, m.Pin); err != nil {
		return err
	}
	name, err := trust.VerifyNode(chain, root, when)
	if err != nil {
		return err
	}
	has, err := key.PublicOf(chain[0].PublicKey)
	switch {
	case err != nil:
		return err
	case name.Tenant != m.Tenant || name.Node != m.Node:
		return errors.New("the certificate names another node")
	case has != public:
		return errors.New("the certificate is for another key")
	}
	return nil
}
