package hub

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// BenchmarkTelling is one join, or one report of new endpoints, told to 10,000 nodes of one network, all in this process. The streams
// cost nothing ("bare": the hub alone), or are in memory, read and decoded at the other end ("piped"). told-ms is until the last has
// it, cpu-ms of the whole process, us/node the latter shared out.
func BenchmarkTelling(b *testing.B) {
	for _, kind := range []string{"bare", "piped"} {
		for _, what := range []string{"join", "report"} {
			b.Run(kind+"/"+what, func(b *testing.B) { benchmarkTelling(b, kind == "piped", what == "join") })
		}
	}
}

func benchmarkTelling(b *testing.B, piped, join bool) {
	const nodes = 10_000
	r := newRAM(b, nodes)
	ctx, stop := context.WithCancel(b.Context())
	h := New(Config{Store: r, Boot: 1, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	heard := make(chan struct{}, nodes)
	var serving sync.WaitGroup
	var ears []*ear
	for _, n := range r.load.Nodes {
		e := newEar(n, heard)
		ears = append(ears, e)
		serving.Go(func() { h.Serve(ctx, r.tenant, n.ID, e.open(piped)) })
	}
	for _, e := range ears {
		<-e.mapped
	}
	quiet(heard)
	begin := cpuTime()
	var told []float64
	for b.Loop() {
		start := time.Now()
		want := nodes
		if join {
			r.join()
		} else {
			ears[0].reports()
			want-- // but the one that reports
		}
		for range want {
			<-heard
		}
		told = append(told, time.Since(start).Seconds()*1e3)
	}
	spent := (cpuTime() - begin).Seconds() * 1e3 / float64(b.N)
	slices.Sort(told)
	b.ReportMetric(told[len(told)/2], "told-ms")
	b.ReportMetric(spent, "cpu-ms")
	b.ReportMetric(spent*1e3/nodes, "us/node")
	stop()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	serving.Wait()
}

// quiet waits until nobody is told anything any more: the arrivals are news, too.
func quiet(heard chan struct{}) {
	for {
		select {
		case <-heard:
		case <-time.After(500 * time.Millisecond):
			return
		}
	}
}

// ear is a node that hears, and says hello.
type ear struct {
	stream.Stream
	node   store.Node
	heard  chan<- struct{}
	mapped chan struct{} // closed with the first map
	once   sync.Once
	said   chan *pb.Frame
	ended  chan struct{}
	port   uint16
	other  stream.Stream // if piped
}

func newEar(n store.Node, heard chan<- struct{}) *ear {
	e := &ear{node: n, heard: heard, mapped: make(chan struct{}), said: make(chan *pb.Frame, 1), ended: make(chan struct{}), port: 1}
	e.said <- &pb.Frame{Body: &pb.Frame_Hello{Hello: &pb.Hello{VersionMin: 1, VersionMax: 1, InstanceId: make([]byte, instanceSize), Report: report(1)}}}
	return e
}

// open returns the hub's end.
func (e *ear) open(piped bool) stream.Stream {
	if !piped {
		return e
	}
	here, there := stream.Pipe(stream.Info{}, stream.Info{})
	e.other = here
	go func() {
		defer here.Close()
		for {
			f, err := here.Recv()
			if err != nil {
				return
			}
			if f.GetMap() != nil {
				e.hear()
			}
		}
	}()
	e.pass()
	return there
}

func (e *ear) hear() {
	e.once.Do(func() { close(e.mapped) })
	e.heard <- struct{}{}
}

// reports says another endpoint than before.
func (e *ear) reports() {
	e.port = e.port%60_000 + 1
	e.said <- &pb.Frame{Body: &pb.Frame_Report{Report: report(e.port)}}
	if e.other != nil {
		e.pass()
	}
}

func (e *ear) pass() {
	b, err := control.AppendFrame(nil, <-e.said)
	if err == nil {
		err = e.other.Send(context.Background(), b)
	}
	if err != nil {
		panic(err) // a pipe in memory, and a frame of our own
	}
}

// The methods of stream.Stream.

func (e *ear) Send(context.Context, []byte) error { return nil }
func (e *ear) TrySend([]byte) error               { e.hear(); return nil }
func (e *ear) OnReady(func())                     {}
func (e *ear) Limit(int)                          {}
func (e *ear) Info() stream.Info                  { return stream.Info{} }

func (e *ear) Recv() (*pb.Frame, error) {
	select {
	case f := <-e.said:
		return f, nil
	case <-e.ended:
		return nil, io.EOF
	}
}

func (e *ear) Close() error {
	select {
	case <-e.ended:
	default:
		close(e.ended)
	}
	return nil
}

// ram is a tenant that needs no disk, as much of one as the hub asks for.
type ram struct {
	store.Store
	tenant ident.Tenant
	load   store.Load
	sink   store.Sink
}

type ramHandle struct {
	store.Handle
	r *ram
}

func newRAM(b *testing.B, nodes int) *ram {
	r := &ram{tenant: ident.New[ident.Tenant]()}
	r.load.Tenant = store.Tenant{ID: r.tenant, Name: "acme", Hard: 1}
	r.load.Networks = []store.Network{{ID: 1, Name: "office", Version: 1, Range4: netip.MustParsePrefix("10.0.0.0/8")}}
	r.load.Policies = []store.Policy{{Network: 1, Number: 1, Version: 1, Text: store.FirstPolicy(true)}}
	for range nodes {
		r.load.Nodes = append(r.load.Nodes, r.newcomer())
	}
	return r
}

// newcomer is the next node, with a signature that nobody here looks at.
func (r *ram) newcomer() store.Node {
	r.load.Tenant.Hard++
	v := r.load.Tenant.Hard
	n := store.Node{ID: ident.Node(v), Network: 1, Name: fmt.Sprintf("n%d", v), WG: key.WGPublic{1}, Version: v,
		Address4: netip.AddrFrom4([4]byte{10, byte(v >> 16), byte(v >> 8), byte(v)})}
	n.Revise()
	n.Signature = make([]byte, key.SignatureSize)
	return n
}

// join commits one.
func (r *ram) join() {
	n := r.newcomer()
	r.sink(r.tenant, []store.Change{{Node: &n, Version: n.Version}})
}

func (r *ram) Meta() store.Meta              { return store.Meta{Controller: 1, Epoch: 1} }
func (r *ram) Listen(s store.Sink)           { r.sink = s }
func (r *ram) Writable() error               { return nil }
func (r *ram) For(ident.Tenant) store.Handle { return ramHandle{r: r} }

func (r *ram) Tenants(context.Context) ([]store.Tenant, error) {
	return []store.Tenant{r.load.Tenant}, nil
}

func (h ramHandle) Load(context.Context) (store.Load, error) { return h.r.load, nil }

func (h ramHandle) Seen(context.Context, map[ident.Node]time.Time) error { return nil }
