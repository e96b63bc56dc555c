package fleet

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

const (
	helloPatience = 10 * time.Second
	sendPatience  = 15 * time.Second // a relay that takes nothing for so long is gone
	maxWaiting    = 10_000           // changes that wait for a slow relay before they become a snapshot
	maxMetered    = 20_000           // tenants in one report
)

// session is one relay's live stream. Its reader is the goroutine that Serve was called on; its sender is another. What waits to be
// told is guarded by the fleet's lock.
type session struct {
	fleet    *Fleet
	id       ident.Relay
	stream   stream.Stream
	instance [16]byte
	since    time.Time
	wake     chan struct{} // holds one

	fresh      bool // the relay is to get a snapshot
	tenants    []ident.Tenant
	removed    []*pb.RemovedNode
	neighbours bool
}

// nudge wakes the sender. The lock may be held.
func (s *session) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *session) wantNeighbours() {
	s.neighbours = true
	s.nudge()
}

// removedLocked notes a node to be turned away.
func (s *session) removedLocked(n *pb.RemovedNode) {
	if len(s.removed) >= maxWaiting {
		s.fresh, s.removed = true, nil
	}
	s.removed = append(s.removed, n)
}

// Serve runs one relay's session until it ends. The chain of the stream has been verified and names this relay.
func (f *Fleet) Serve(ctx context.Context, id ident.Relay, st stream.Stream) {
	defer st.Close()
	err := f.serve(ctx, id, st)
	if g, ok := errors.AsType[*farewell](err); ok {
		sendAway(st, g)
	}
	f.Log.Info("relay's session ends", "relay", id, logx.Err, err)
}

func (f *Fleet) serve(ctx context.Context, id ident.Relay, st stream.Stream) error {
	late := time.AfterFunc(helloPatience, func() { st.Close() })
	st.Limit(control.MaxFrame)
	first, err := st.Recv()
	late.Stop()
	if err != nil {
		return err
	}
	hello := first.GetRelayHello()
	switch {
	case hello == nil || len(hello.InstanceId) != 16:
		return noHello
	case hello.VersionMin > control.Version || hello.VersionMax < control.VersionMin:
		return otherTime
	}
	s := &session{fleet: f, id: id, stream: st, since: f.Now(), wake: make(chan struct{}, 1), fresh: true}
	copy(s.instance[:], hello.InstanceId)
	if err := s.send(ctx, &pb.Frame{Body: &pb.Frame_RelayWelcome{RelayWelcome: &pb.RelayWelcome{Version: min(hello.VersionMax, control.Version),
		TimeMs: f.Now().UnixMilli(), Controller: uint64(f.Store.Meta().Controller), Addresses: f.Addresses}}}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := f.seat(ctx, s); err != nil {
		return err
	}
	defer f.release(ctx, s)
	f.Log.Info("relay's session begins", "relay", id, logx.Transport, st.Info().Transport, "software", clean.Line(hello.GetSoftware().GetVersion(), 64))
	s.report(ctx, hello.Status, clean.Line(hello.GetSoftware().GetVersion(), 64))
	for {
		frame, err := st.Recv()
		if err != nil {
			return err
		}
		if err := s.handle(ctx, frame); err != nil {
			return err
		}
	}
}

// seat makes s its relay's session, in the place of one that is still there: the newest speaks for the relay.
func (f *Fleet) seat(ctx context.Context, s *session) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.relays[s.id]
	switch {
	case f.closed:
		return restarting
	case r == nil:
		return removed
	}
	if old := r.session; old != nil {
		f.wg.Go(func() { old.away(replaced) })
	}
	r.session = s
	f.wg.Go(func() { s.tell(ctx) })
	s.nudge()
	return nil
}

// release notes that a session is over, and when.
func (f *Fleet) release(ctx context.Context, s *session) {
	f.mu.Lock()
	r := f.relays[s.id]
	mine := r != nil && r.session == s
	if mine {
		r.session, r.draining = nil, false
	}
	var last store.RelayReport
	if mine {
		last = r.LastReport
		r.LastSeen = f.Now()
	}
	f.mu.Unlock()
	if !mine {
		return
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := f.Store.RelayReported(end, s.id, last); err != nil && !errors.Is(err, store.ErrNotFound) {
		f.Log.Warn("relay's last report not written down", logx.Err, err, "relay", s.id)
	}
	f.told()
}

var errLeft = errors.New("the relay said goodbye")

func (s *session) handle(ctx context.Context, f *pb.Frame) error {
	switch b := f.Body.(type) {
	case *pb.Frame_RelayStatus:
		s.report(ctx, b.RelayStatus, "")
	case *pb.Frame_Renew:
		return s.send(ctx, s.fleet.Renewer.RenewRelay(ctx, s.id, b.Renew.GetCsr()))
	case *pb.Frame_Ping:
		return s.send(ctx, &pb.Frame{Body: &pb.Frame_Pong{Pong: &pb.Pong{Nonce: b.Ping.Nonce}}})
	case *pb.Frame_Goaway:
		return errLeft
	}
	return nil
}

// report takes over what the relay says of itself. software is empty in all reports but the first.
func (s *session) report(ctx context.Context, m *pb.RelayStatus, software string) {
	f := s.fleet
	f.mu.Lock()
	r := f.relays[s.id]
	if r == nil || r.session != s || m == nil {
		f.mu.Unlock()
		return
	}
	before, was := r.LastReport, r.draining
	r.LastReport = reported(m, before, software)
	r.draining, r.clients = m.Draining, m.Clients
	if counts := s.counts(r, m.Metered); len(counts.Bytes) > 0 {
		if r.metered != nil && r.metered.Instance == counts.Instance {
			for t, n := range r.metered.Bytes {
				counts.Bytes[t] = max(n, counts.Bytes[t])
			}
		}
		r.metered = &counts
	}
	report := r.LastReport
	f.mu.Unlock()
	changed := !report.Equal(before)
	if changed {
		if err := f.Store.RelayReported(ctx, s.id, report); err != nil {
			f.Log.Warn("relay's report not written down", logx.Err, err, "relay", s.id)
		}
	}
	if changed || was != m.Draining {
		f.told()
	}
}

// reported is what can be used of a report. A list of addresses that cannot be told leaves what was known.
func reported(m *pb.RelayStatus, before store.RelayReport, software string) store.RelayReport {
	r := store.RelayReport{Addresses: m.Addresses, Software: before.Software}
	if control.CheckRelayAddresses(m.Addresses) != nil {
		r.Addresses = before.Addresses
	}
	if clean.IsLabel(m.Region) {
		r.Region = m.Region
	}
	if m.StunPort <= 1<<16-1 {
		r.STUN = uint16(m.StunPort)
	}
	if software != "" {
		r.Software = software
	}
	return r
}

func (s *session) counts(r *relay, all []*pb.Metered) store.Metered {
	m := store.Metered{Relay: s.id, Instance: s.instance, Bytes: map[ident.Tenant]uint64{}}
	for _, c := range all[:min(len(all), maxMetered)] {
		if t := ident.Tenant(c.Tenant); !t.IsZero() && t < 1<<63 && r.serves(t) {
			m.Bytes[t] = c.Bytes
		}
	}
	return m
}

// tell sends what waits until the stream breaks or ctx is done.
func (s *session) tell(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		if err := s.tellOnce(ctx); err != nil {
			if ctx.Err() == nil {
				s.fleet.Log.Warn("relay not told", logx.Err, err, "relay", s.id)
			}
			s.stream.Close()
			return
		}
	}
}

func (s *session) tellOnce(ctx context.Context) error {
	f := s.fleet
	f.mu.Lock()
	r := f.relays[s.id]
	if r == nil {
		f.mu.Unlock()
		return nil
	}
	record, fresh, tenants, gone := r.Relay, s.fresh, s.tenants, s.removed
	neighbours := s.neighbours || fresh
	s.fresh, s.tenants, s.removed, s.neighbours = false, nil, nil, false
	var list []control.Relay
	var region []ident.Relay
	if neighbours {
		list, region = f.listLocked(record.Tenant, s.id), f.regionLocked(record)
	}
	f.mu.Unlock()
	p := pieces{snapshot: fresh}
	if neighbours {
		p.neighbours(list, region)
	}
	if fresh {
		var err error
		if tenants, err = f.served(ctx, record); err != nil {
			return err
		}
		all, err := f.Store.RemovedNodes(ctx)
		if err != nil {
			return err
		}
		for _, n := range all {
			if r.serves(n.Tenant) {
				gone = append(gone, entry(n))
			}
		}
	}
	slices.Sort(tenants)
	for _, t := range slices.Compact(tenants) {
		now, former, err := f.authorities(ctx, t)
		if err != nil {
			return err
		}
		p.tenant(t, now, former)
	}
	for _, n := range gone {
		p.removed(n)
	}
	for _, m := range p.end() {
		if err := s.send(ctx, &pb.Frame{Body: &pb.Frame_RelayUpdate{RelayUpdate: m}}); err != nil {
			return err
		}
	}
	return nil
}

// authorities are those whose certificates count: the one that signs, and those before it that have not ended.
func (f *Fleet) authorities(ctx context.Context, t ident.Tenant) (now []byte, former [][]byte, err error) {
	a, err := f.Store.Authority(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	old, err := f.Store.For(t).OldAuthorities(ctx)
	for _, o := range old {
		if o.Ended.IsZero() {
			former = append(former, o.Certificate)
		}
	}
	return a.Certificate, former, err
}

func (s *session) send(ctx context.Context, f *pb.Frame) error {
	b, err := control.AppendFrame(nil, f)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendPatience)
	defer cancel()
	return s.stream.Send(ctx, b)
}
