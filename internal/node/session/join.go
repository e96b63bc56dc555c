package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// Membership is what a node is in a network: everything but its private keys.
type Membership struct {
	Tenant  ident.Tenant
	Network ident.Network
	Node    ident.Node
	Chain   [][]byte // DER, leaf first, without the root
	Root    []byte   // DER
	Pin     [32]byte // of the root
	Addrs   []string // of controllers, from the join key
	Learned []string // of controllers, from themselves; tried first
	Record  []byte   // the node's record as of the join; the map's is newer
	Pending bool     // as of the join
}

// JoinConfig is what a join needs besides the ticket.
type JoinConfig struct {
	Identity  key.Identity
	WG        key.WGPublic
	Hostname  string       // the name to ask for; "": whatever the controller gives
	Nodes     []ident.Node // that this machine is at the same controller already
	Transport stream.Transport
	Software  *pb.Software // nil: this build's
	Dial      Dialer
	Clock     *Clock
	Random    func(time.Duration) time.Duration
}

// Refused is a controller's answer that no retry will change.
type Refused struct {
	Reason  pb.RefusedReason
	Message string // cleaned
	Hint    string // cleaned; may be empty
	// Member is which of JoinConfig.Nodes is in the ticket's network already, so that the ticket was not used; zero: none.
	Member ident.Node
}

// Error implements error.
func (r *Refused) Error() string { return "the controller refuses: " + r.Message }

// Failed is why a join did not come about, when it was not refused.
type Failed struct{ Problem }

// Error implements error.
func (f *Failed) Error() string { return f.What }

// Skew reports whether the two sides are of versions that do not understand each other.
func (f *Failed) Skew() bool { return f.Code == codeSkew }

// Untrusted reports whether somebody answered whose certificate was not accepted: not the controller, or one of the clocks is wrong.
func (f *Failed) Untrusted() bool { return f.Code == codeUntrusted || f.Code == codeClock }

const joinAnswer = 30 * time.Second

// Join redeems a ticket. It is idempotent for the pair of ticket and identity key: when the answer was lost, or the machine died
// before it kept it, the same call gives the same node again. Whatever may pass by itself is tried again until ctx is done; the
// error is then a *Failed that says what happened last. A *Refused comes at once.
func Join(ctx context.Context, t ticket.Ticket, cfg JoinConfig) (Membership, error) {
	if cfg.Software == nil {
		cfg.Software = ThisSoftware(cfg.Hostname)
	}
	back := newBackoff(cfg.Random)
	for {
		m, again, err := joinOnce(ctx, t, cfg)
		if err == nil || !again {
			return m, err
		}
		wait := time.NewTimer(back.next(ending{}, 0))
		select {
		case <-ctx.Done():
			wait.Stop()
			return Membership{}, err
		case <-wait.C:
		}
	}
}

// joinOnce makes one attempt; again says whether another may go better.
func joinOnce(ctx context.Context, t ticket.Ticket, cfg JoinConfig) (m Membership, again bool, err error) {
	csr, err := request(cfg.Identity)
	if err != nil {
		return m, false, fmt.Errorf("make a certificate request: %w", err)
	}
	ask := &pb.Join{KeyId: t.ID, Secret: t.Secret.Bytes(), Csr: csr, WgKey: cfg.WG[:], Hostname: cfg.Hostname, Software: cfg.Software}
	for _, n := range cfg.Nodes {
		ask.Nodes = append(ask.Nodes, uint64(n))
	}
	f, err := exchange(ctx, t, cfg, &pb.Frame{Body: &pb.Frame_Join{Join: ask}})
	if err != nil {
		p := dialProblem(err)
		return m, p.Code == codeUnreachable, &Failed{*p}
	}
	switch b := f.Body.(type) {
	case *pb.Frame_Joined:
		if m, err = admitted(t, cfg, b.Joined); err != nil {
			err = &Failed{Problem{codeProtocol, "the controller's answer cannot be used: " + clean.Line(err.Error(), 300), "upgrade the older of the two, and ask the controller's operator"}}
		}
		return m, false, err
	case *pb.Frame_Refused:
		r := &Refused{Reason: b.Refused.Reason, Message: clean.Line(b.Refused.Message, 200), Hint: clean.Line(b.Refused.Hint, 300)}
		if r.Reason == pb.RefusedReason_REFUSED_REASON_MEMBER && slices.Contains(cfg.Nodes, ident.Node(b.Refused.Node)) {
			r.Member = ident.Node(b.Refused.Node)
		}
		return m, r.Reason == pb.RefusedReason_REFUSED_REASON_UNAVAILABLE, r
	case *pb.Frame_Goaway:
		e := dismissed(b.Goaway)
		return m, e.verdict == Fine && e.problem.Code != codeSkew && e.problem.Code != codeProtocol, &Failed{*e.problem}
	default:
		return m, false, &Failed{Problem{codeProtocol, "the controller broke the protocol: its answer to Join is neither Joined nor Refused", "upgrade the older of the two"}}
	}
}

// exchange sends one frame on a stream of its own and returns the answer.
func exchange(ctx context.Context, t ticket.Ticket, cfg JoinConfig, f *pb.Frame) (*pb.Frame, error) {
	dialing, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	st, err := cfg.Dial(dialing, Target{Addrs: t.Addrs, Transport: cfg.Transport, TLS: stream.ClientTLS{Pin: t.Pin, Now: cfg.Clock.Instant}.Config()})
	if err != nil {
		return nil, err
	}
	if err := send(ctx, st, f); err != nil {
		st.Close()
		return nil, err
	}
	type result struct {
		f   *pb.Frame
		err error
	}
	got, closed := make(chan result, 1), make(chan struct{})
	go func() {
		defer close(closed)
		f, err := st.Recv()
		got <- result{f, err}
		if err == nil {
			_, _ = st.Recv() // the controller closes after its answer; then our Close has nothing to wait for
		}
	}()
	defer func() { <-closed }()
	defer st.Close()
	select {
	case r := <-got:
		await(closed, farewell)
		return r.f, r.err
	case <-time.After(joinAnswer):
		return nil, errors.New("it did not answer the join")
	case <-ctx.Done():
		return nil, errors.New("it had not answered the join yet")
	}
}

func await(c <-chan struct{}, most time.Duration) {
	select {
	case <-c:
	case <-time.After(most):
	}
}

// admitted checks an admission against what was asked: the pinned root, our own keys, one node.
func admitted(t ticket.Ticket, cfg JoinConfig, j *pb.Joined) (Membership, error) {
	m := Membership{
		Tenant: ident.Tenant(j.Tenant), Network: ident.Network(j.Network), Node: ident.Node(j.Node),
		Chain: j.Chain, Root: j.Root, Pin: t.Pin, Addrs: t.Addrs, Record: j.Record, Pending: j.Pending,
	}
	if m.Tenant.IsZero() || m.Network.IsZero() || m.Node.IsZero() {
		return Membership{}, errors.New("it names no node")
	}
	if err := m.verify(m.Chain, cfg.Identity.Public(), cfg.Clock.Instant()); err != nil {
		return Membership{}, err
	}
	id := identity{m.Tenant, m.Network, m.Node, cfg.Identity, cfg.WG}
	if err := id.check(j.Record); err != nil {
		return Membership{}, err
	}
	cfg.Clock.Learn(time.UnixMilli(j.TimeMs), until(m.Chain))
	return m, nil
}
