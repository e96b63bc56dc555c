package hub

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/core/view"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// A session is one node's live stream. Its reader is the goroutine that Serve was called on; its writer of maps is the tenant's
// sender.
type session struct {
	tenant   *tenant
	node     ident.Node
	stream   stream.Stream
	instance []byte
	since    time.Time
	pong     chan uint64   // answers to our pings; holds one
	ended    chan struct{} // closed when the session is over

	has *view.Session // what the node has been sent; the tenant's lock guards it
}

// Serve runs one node's session until it ends. The chain of the stream has been verified and names this tenant and node.
func (h *Hub) Serve(ctx context.Context, tenant ident.Tenant, node ident.Node, s stream.Stream) {
	defer s.Close()
	t, err := h.tenant(ctx, tenant)
	if err != nil {
		h.log(tenant, node).Error("tenant not loaded", logx.Err, err)
		away(s, pb.GoawayReason_GOAWAY_REASON_UNAVAILABLE, "the controller cannot read its database", maxRetry)
		return
	}
	hello, err := receiveHello(s)
	if err != nil {
		h.log(tenant, node).Info("session without a hello", logx.Err, err)
		return
	}
	if hello.VersionMin > control.Version || hello.VersionMax < control.VersionMin {
		away(s, pb.GoawayReason_GOAWAY_REASON_VERSION, "no common version of the protocol; upgrade the older of the two", time.Minute)
		return
	}
	n := &session{tenant: t, node: node, stream: s, instance: bytes.Clone(hello.InstanceId), since: h.Now(),
		pong: make(chan uint64, 1), ended: make(chan struct{})}
	if !t.claim(ctx, n) {
		return
	}
	defer t.release(n)
	h.log(tenant, node).Info("session begins", logx.Transport, s.Info().Transport, "software", hello.GetSoftware().GetVersion())
	err = n.run(ctx, hello)
	h.log(tenant, node).Info("session ends", logx.Err, err)
}

// receiveHello waits for the first frame with patience.
func receiveHello(s stream.Stream) (*pb.Hello, error) {
	late := time.AfterFunc(helloPatience, func() { s.Close() })
	defer late.Stop()
	f, err := s.Recv()
	if err != nil {
		return nil, err
	}
	h := f.GetHello()
	if h == nil {
		away(s, pb.GoawayReason_GOAWAY_REASON_PROTOCOL, "a session begins with a hello", time.Minute)
		return nil, errors.New("first frame is no hello")
	}
	s.Limit(control.MaxPiece)
	return h, nil
}

func (n *session) run(ctx context.Context, hello *pb.Hello) error {
	h := n.tenant.hub
	if err := n.send(ctx, &pb.Frame{Body: &pb.Frame_Welcome{Welcome: &pb.Welcome{Version: min(hello.VersionMax, control.Version),
		TimeMs: h.Now().UnixMilli(), Controller: uint64(h.meta.Controller), Transport: wire(h.Transport), Addresses: h.Addresses}}}); err != nil {
		return err
	}
	n.stream.OnReady(func() { n.tenant.mark(n.node) })
	n.signed(ctx, hello.Signed)
	if err := n.tenant.arrive(n, hello); err != nil {
		return err
	}
	for {
		f, err := n.stream.Recv()
		if err != nil {
			return err
		}
		if err := n.handle(ctx, f); err != nil {
			return err
		}
	}
}

// Why sessions end that did not break.
var (
	errLeft     = errors.New("the node said goodbye")
	errReplaced = errors.New("a newer session has taken over")
)

func (n *session) handle(ctx context.Context, f *pb.Frame) error {
	switch b := f.Body.(type) {
	case *pb.Frame_Report:
		n.tenant.report(n, b.Report)
	case *pb.Frame_Signed:
		n.signed(ctx, b.Signed)
	case *pb.Frame_Renew:
		return n.send(ctx, n.tenant.hub.Renewer.Renew(ctx, n.tenant.id, n.node, b.Renew.GetCsr()))
	case *pb.Frame_Ping:
		return n.send(ctx, &pb.Frame{Body: &pb.Frame_Pong{Pong: &pb.Pong{Nonce: b.Ping.Nonce}}})
	case *pb.Frame_Pong:
		select {
		case n.pong <- b.Pong.Nonce:
		default:
		}
	case *pb.Frame_Goaway:
		return errLeft
	}
	return nil
}

// signed stores a node's signature over its own record. One over an old record is no fault: the new one is on its way to it.
func (n *session) signed(ctx context.Context, m *pb.Signed) {
	if m == nil || len(m.Record) == 0 {
		return
	}
	h := n.tenant.hub
	log := h.log(n.tenant.id, n.node)
	rec, err := control.ParseRecord(m.Record)
	if err != nil || rec.Node != n.node {
		log.Warn("signature over a record that is not the node's", logx.Err, err)
		return
	}
	current, err := h.Store.For(n.tenant.id).Node(ctx, n.node)
	if err != nil || !bytes.Equal(current.Record, m.Record) || bytes.Equal(current.Signature, m.Signature) {
		return
	}
	if !verified(current.Identity, n.tenant.id, current.Network, m) {
		log.Warn("signature over the record is not by the node's key")
		return
	}
	if _, err := h.Store.For(n.tenant.id).SignNode(ctx, n.node, m.Record, m.Signature); err != nil && !errors.Is(err, store.ErrConflict) {
		log.Warn("signature over the record not stored", logx.Err, err)
	}
}

func verified(id key.IdentityPublic, t ident.Tenant, v ident.Network, m *pb.Signed) bool {
	return id.Verify(control.Transcript(t, v, m.Record), m.Signature)
}

// answers reports whether the node at the other end is alive: it answers a ping within clonePatience.
func (n *session) answers(ctx context.Context) bool {
	var b [8]byte
	rand.Read(b[:])
	nonce := binary.BigEndian.Uint64(b[:])
	ctx, cancel := context.WithTimeout(ctx, clonePatience)
	defer cancel()
	if n.send(ctx, &pb.Frame{Body: &pb.Frame_Ping{Ping: &pb.Ping{Nonce: nonce}}}) != nil {
		return false
	}
	for {
		select {
		case got := <-n.pong:
			if got == nonce {
				return true
			}
		case <-n.ended:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

func (n *session) send(ctx context.Context, f *pb.Frame) error { return send(ctx, n.stream, f) }

func send(ctx context.Context, s stream.Stream, f *pb.Frame) error {
	b, err := control.AppendFrame(nil, f)
	if err != nil {
		return err
	}
	return s.Send(ctx, b)
}

// away says why, and closes. That the reason arrives is a courtesy, so nobody waits for it longer than a second.
func away(s stream.Stream, reason pb.GoawayReason, message string, retry time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	send(ctx, s, &pb.Frame{Body: &pb.Frame_Goaway{Goaway: &pb.Goaway{Reason: reason, Message: message, Hint: hints[reason], RetryAfterMs: uint32(retry.Milliseconds())}}})
	s.Close()
}

var hints = map[pb.GoawayReason]string{
	pb.GoawayReason_GOAWAY_REASON_REMOVED: "to come back: cvlan down --forget, then cvlan up with a new join key",
	pb.GoawayReason_GOAWAY_REASON_CLONED:  "give this machine an identity of its own: cvlan down --forget, then cvlan up with a new join key",
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

// endpoints reads what a node reports of itself; what nothing can be sent to is left out.
func endpoints(r *pb.Report) []netip.AddrPort {
	var all []netip.AddrPort
	for _, b := range r.GetEndpoints() {
		if e, ok := control.ParseEndpoint(b); ok && len(all) < view.MaxEndpoints {
			all = append(all, e)
		}
	}
	return all
}
