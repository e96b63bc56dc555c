package hub

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/core/view"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

const (
	helloPatience = 10 * time.Second // from the beginning of a session to its Hello
	instanceSize  = 16               // bytes; see Hello.instance_id
)

// A session is one node's live stream. Its reader is the goroutine that Serve was called on; its writer of maps is the tenant's
// sender.
type session struct {
	tenant   *tenant
	node     ident.Node
	stream   stream.Stream
	instance []byte
	since    time.Time
	welcomed chan struct{} // closed when Welcome is on its way: nothing may be said before
	ended    chan struct{} // closed when the session is over
	doubt    doubt
	punches  punches
	pace     pace // the reader's

	// The tenant's lock guards these.
	has     *view.Session // what the node has been sent; nil until it has arrived
	applied uint64        // the name of the rules that it applies
	owes    bool          // it has to be told of the newest document, and has not said yet that it applies it
}

// Serve runs one node's session until it ends. The chain of the stream has been verified and names this tenant and node.
func (h *Hub) Serve(ctx context.Context, tenant ident.Tenant, node ident.Node, s stream.Stream) {
	defer s.Close()
	err := h.serve(ctx, tenant, node, s)
	if f, ok := errors.AsType[*farewell](err); ok {
		away(s, *f)
	}
	h.log(tenant, node).Info("session ends", logx.Err, err)
}

// serve returns why the session ended; a farewell has not been said yet.
func (h *Hub) serve(ctx context.Context, tenant ident.Tenant, node ident.Node, s stream.Stream) error {
	t, err := h.tenant(ctx, tenant)
	if err != nil {
		return h.closed(err)
	}
	hello, err := receiveHello(s)
	if err != nil {
		return err
	}
	n := &session{tenant: t, node: node, stream: s, instance: bytes.Clone(hello.InstanceId), since: h.Now(),
		welcomed: make(chan struct{}), ended: make(chan struct{})}
	displaced, err := t.claim(ctx, n)
	if err != nil {
		if errors.Is(err, &cloned) {
			h.log(tenant, node).Warn("state of a node was copied to another machine")
		}
		return err
	}
	var others sync.WaitGroup
	defer others.Wait()
	defer t.release(n)
	if displaced != nil {
		others.Go(func() { away(displaced.stream, replaced) })
	}
	h.log(tenant, node).Info("session begins", logx.Transport, s.Info().Transport, "software", hello.GetSoftware().GetVersion())
	return n.run(ctx, hello)
}

// closed turns the reason why there is no tenant into what its node is told.
func (h *Hub) closed(err error) error {
	if _, told := errors.AsType[*farewell](err); told {
		return err
	}
	if errors.Is(err, store.ErrNotFound) {
		return &removed
	}
	h.Log.Error("a node finds its tenant not loaded", logx.Err, err)
	return &unavailable
}

// receiveHello waits for the first frame with patience.
func receiveHello(s stream.Stream) (*pb.Hello, error) {
	late := time.AfterFunc(helloPatience, func() { s.Close() })
	defer late.Stop()
	s.Limit(control.MaxPiece)
	f, err := s.Recv()
	if err != nil {
		return nil, err
	}
	h := f.GetHello()
	switch {
	case h == nil:
		return nil, &noHello
	case h.VersionMin > control.Version || h.VersionMax < control.VersionMin:
		return nil, &otherTime
	case len(h.InstanceId) != instanceSize:
		return nil, &noInstance
	}
	return h, nil
}

func (n *session) run(ctx context.Context, hello *pb.Hello) error {
	h := n.tenant.hub
	if err := n.send(ctx, &pb.Frame{Body: &pb.Frame_Welcome{Welcome: &pb.Welcome{Features: control.FeatureAmends, Version: min(hello.VersionMax, control.Version),
		TimeMs: h.Now().UnixMilli(), Controller: uint64(h.meta.Controller), Transport: wire(h.Transport), Addresses: h.Addresses}}}); err != nil {
		return err
	}
	close(n.welcomed)
	n.stream.OnReady(func() { n.tenant.mark(n.node) })
	n.signed(ctx, hello.Signed)
	n.describes(ctx, hello.Software)
	n.offers(ctx, hello.Report)
	if err := n.tenant.arrive(n, hello); err != nil {
		return err
	}
	for {
		f, err := n.stream.Recv()
		if err != nil {
			return err
		}
		if err := n.pace.wait(ctx, cost(f)); err != nil {
			return err
		}
		if err := n.handle(ctx, f); err != nil {
			return err
		}
	}
}

// errLeft is how a session ends in order.
var errLeft = errors.New("the node said goodbye")

func (n *session) handle(ctx context.Context, f *pb.Frame) error {
	switch b := f.Body.(type) {
	case *pb.Frame_Report:
		n.tenant.report(n, b.Report)
		n.offers(ctx, b.Report)
	case *pb.Frame_Signed:
		n.signed(ctx, b.Signed)
	case *pb.Frame_Renew:
		return n.send(ctx, n.tenant.hub.Renewer.Renew(ctx, n.tenant.id, n.node, b.Renew.GetCsr()))
	case *pb.Frame_Ping:
		return n.send(ctx, &pb.Frame{Body: &pb.Frame_Pong{Pong: &pb.Pong{Nonce: b.Ping.Nonce}}})
	case *pb.Frame_Pong:
		n.doubt.settle(b.Pong.Nonce)
	case *pb.Frame_RulesApplied:
		n.tenant.applies(n, b.RulesApplied.RulesName)
	case *pb.Frame_Punch:
		n.tenant.punch(n, b.Punch)
	case *pb.Frame_Goaway:
		if b.Goaway.Reason == pb.GoawayReason_GOAWAY_REASON_LEFT {
			return n.leaves(ctx)
		}
		return errLeft
	}
	return nil
}

// leaves deletes the node, which wants to be none any more, and has it told how that went.
func (n *session) leaves(ctx context.Context) error {
	h := n.tenant.hub
	if err := h.Store.For(n.tenant.id).DeleteNode(ctx, n.node.String(), n.node, 0); err != nil && !errors.Is(err, store.ErrNotFound) {
		h.log(n.tenant.id, n.node).Error("node that leaves not deleted", logx.Err, err)
		return &unavailable
	}
	return &removed
}

// signed stores a node's signature over its own record as it is now, or as it is but for what the node speaks. One over another record is not looked at: most likely it is the
// old one, and the new one is on its way.
func (n *session) signed(ctx context.Context, m *pb.Signed) {
	if m == nil || len(m.Record) == 0 {
		return
	}
	mine := n.tenant.hub.Store.For(n.tenant.id)
	log := n.tenant.hub.log(n.tenant.id, n.node)
	current, err := mine.Node(ctx, n.node)
	if err != nil || bytes.Equal(current.Record, m.Record) && hasSigned(current) || !control.Restates(m.Record, current.Record) {
		return
	}
	if !current.Identity.Verify(control.Transcript(n.tenant.id, current.Network, m.Record), m.Signature) {
		log.Warn("signature over the record is not by the node's key")
		return
	}
	if _, err := mine.SignNode(ctx, n.node, m.Record, m.Signature); err != nil && !errors.Is(err, store.ErrConflict) {
		log.Warn("signature over the record not stored", logx.Err, err)
	}
}

// hasSigned reports whether a node's signature is over its present record.
func hasSigned(n store.Node) bool { return len(n.Signature) > 0 && len(n.Signed) == 0 }

func (n *session) send(ctx context.Context, f *pb.Frame) error { return send(ctx, n.stream, f) }

func send(ctx context.Context, s stream.Stream, f *pb.Frame) error {
	b, err := control.AppendFrame(nil, f)
	if err != nil {
		return err
	}
	return s.Send(ctx, b)
}

func wire(t stream.Transport) pb.Transport {
	switch t {
	case stream.QUIC:
		return pb.Transport_TRANSPORT_QUIC
	case stream.TCP:
		return pb.Transport_TRANSPORT_TCP
	default:
		return pb.Transport_TRANSPORT_UNSPECIFIED
	}
}

// reported reads what a node reports of itself; what nothing can be sent to is left out.
func reported(r *pb.Report) view.Soft {
	s := view.Soft{Online: true}
	kinds := len(r.GetKinds()) > 0 && len(r.GetKinds()) == len(r.GetEndpoints())
	for i, b := range r.GetEndpoints() {
		e, ok := control.ParseEndpoint(b)
		if !ok || len(s.Endpoints) == view.MaxEndpoints {
			continue
		}
		s.Endpoints = append(s.Endpoints, e)
		if kinds {
			s.Kinds = append(s.Kinds, r.Kinds[i])
		}
	}
	s.HomeRelay = ident.Relay(r.GetHomeRelay())
	return s
}
