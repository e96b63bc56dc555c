package hub

import (
	"context"
	"crypto/rand"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/core/netmap"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// machine is a node as far as the hub can tell: it keeps its map as a real one does.
type machine struct {
	s        *scene
	name     string
	id       key.Identity
	node     store.Node
	instance []byte

	// How it behaves in the sessions that begin from now on.
	mute     bool                              // answers no ping
	thinks   time.Duration                     // answers pings after so long
	unsigned bool                              // signs nothing
	lazy     bool                              // does not say which rules it applies
	wrap     func(stream.Stream) stream.Stream // what the hub gets instead of its end

	mu    sync.Mutex
	table *netmap.Table
	line  *line // the newest: what arrives on older ones is of no use any more
}

func newMachine(s *scene, id key.Identity, n store.Node) *machine {
	m := &machine{s: s, name: n.Name, id: id, node: n}
	m.reboot()
	m.forget()
	return m
}

// reboot gives the machine a new instance id.
func (m *machine) reboot() {
	m.instance = make([]byte, instanceSize)
	rand.Read(m.instance)
}

// forget loses the map.
func (m *machine) forget() {
	m.table = netmap.New(netmap.Config{Tenant: m.s.tenant, Network: m.node.Network, Node: m.node.ID})
}

// clone is another machine with the same state.
func (m *machine) clone() *machine { return newMachine(m.s, m.id, m.node) }

func (m *machine) sign(record []byte) *pb.Signed {
	sig, err := m.id.Sign(control.Transcript(m.s.tenant, m.node.Network, record))
	m.s.ok(err)
	return &pb.Signed{Record: record, Signature: sig}
}

// hello is what the machine says first. From now on the map waits for the answer.
func (m *machine) hello() *pb.Hello {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.line = nil
	h := &pb.Hello{VersionMin: 1, VersionMax: 1, InstanceId: m.instance, Cursor: m.table.Cursor(), RulesName: m.table.Rules().Name, Report: report(1)}
	if !m.unsigned && h.Cursor == nil {
		h.Signed = m.sign(m.node.Record)
	}
	return h
}

// report is one with an endpoint of its own for each n.
func report(n uint16) *pb.Report {
	return &pb.Report{Endpoints: [][]byte{control.AppendEndpoint(nil, netip.AddrPortFrom(netip.MustParseAddr("192.0.2.7"), n))}}
}

// dial opens a session with a hello.
func (m *machine) dial() *line { return m.dialWith(&pb.Frame{Body: &pb.Frame_Hello{Hello: m.hello()}}) }

// dialWith opens a session with some other first frame, or none.
func (m *machine) dialWith(first *pb.Frame) *line {
	here, there := stream.Pipe(stream.Info{Transport: stream.TCP}, stream.Info{Transport: stream.TCP})
	l := &line{m: m, Stream: here, mute: m.mute, thinks: m.thinks, unsigned: m.unsigned, closed: make(chan struct{}), served: make(chan struct{}), began: time.Now()}
	if m.wrap != nil {
		there = m.wrap(there)
	}
	m.mu.Lock()
	m.line = l
	m.mu.Unlock()
	hub, ctx := m.s.hub, m.s.ctx
	go func() {
		defer close(l.served)
		hub.Serve(ctx, m.s.tenant, m.node.ID, there)
	}()
	go l.read()
	if first != nil {
		l.say(first)
	}
	return l
}

// peers are the names of the peers in the map, with a + for those that are online.
func (m *machine) peers() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []string
	for p := range m.table.Peers() {
		name := p.Record.Name
		if p.Soft.Online {
			name += "+"
		}
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// peer returns what the machine knows of another.
func (m *machine) peer(o *machine) *netmap.Peer {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.table.Peer(o.node.ID)
}

func equal(got, want []string) bool { return slices.Equal(got, want) }

// line is the machine's end of one session.
type line struct {
	stream.Stream
	m              *machine
	mute, unsigned bool
	thinks         time.Duration
	began          time.Time
	closed         chan struct{} // when the hub has ended the session
	served         chan struct{} // when Serve has returned

	mu    sync.Mutex
	got   []*pb.Frame
	maps  []int // sizes of the frames with a map, in bytes
	ended time.Time
}

// read does what a node does, until the hub ends the session.
func (l *line) read() {
	defer close(l.closed)
	defer l.Close()
	for {
		f, err := l.Recv()
		if err != nil {
			l.mu.Lock()
			l.ended = time.Now()
			l.mu.Unlock()
			return
		}
		l.take(f)
	}
}

func (l *line) take(f *pb.Frame) {
	l.mu.Lock()
	l.got = append(l.got, f)
	if m := f.GetMap(); m != nil {
		b, err := control.AppendFrame(nil, f)
		l.m.s.ok(err)
		l.maps = append(l.maps, len(b))
	}
	l.mu.Unlock()
	switch b := f.Body.(type) {
	case *pb.Frame_Ping:
		if !l.mute {
			time.Sleep(l.thinks)
			l.say(&pb.Frame{Body: &pb.Frame_Pong{Pong: &pb.Pong{Nonce: b.Ping.Nonce}}})
		}
	case *pb.Frame_Map:
		l.apply(b.Map)
	}
}

// apply keeps the map, and signs the record in it if it is new.
func (l *line) apply(p *pb.Map) {
	m := l.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.line != l {
		return
	}
	before := m.table.Rules().Name
	if err := m.table.Apply(p, new(netmap.Out)); err != nil {
		m.s.Errorf("%s: %v", m.name, err)
		return
	}
	if name := m.table.Rules().Name; name != before && !m.lazy {
		l.say(&pb.Frame{Body: &pb.Frame_RulesApplied{RulesApplied: &pb.RulesApplied{RulesName: name}}})
	}
	if self := p.Self; self != nil && len(self.Signature) == 0 && !l.unsigned {
		l.say(&pb.Frame{Body: &pb.Frame_Signed{Signed: m.sign(self.Record)}})
	}
}

// say sends a frame. A session that has ended meanwhile takes none, which is no fault of the story's.
func (l *line) say(f *pb.Frame) {
	b, err := control.AppendFrame(nil, f)
	l.m.s.ok(err)
	if err := l.Send(context.Background(), b); err != nil && !errors.Is(err, context.Canceled) {
		l.m.s.Logf("%s: %v", l.m.name, err)
	}
}

func (l *line) reports(n uint16) { l.say(&pb.Frame{Body: &pb.Frame_Report{Report: report(n)}}) }

// last returns the last frame that arrived.
func (l *line) last() *pb.Frame {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.got) == 0 {
		return nil
	}
	return l.got[len(l.got)-1]
}

// mapped returns how many maps have come, and how many bytes they were.
func (l *line) mapped() (frames, bytes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.maps {
		bytes += n
	}
	return len(l.maps), bytes
}

// lasted returns how long the session lasted.
func (l *line) lasted() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended.Sub(l.began)
}

// hangs up and waits until the hub has noticed.
func (l *line) hangUp() {
	l.Close()
	<-l.served
}
