package session

import (
	"bufio"
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// FuzzHostileController lets a controller say anything, in any order. Whatever it is, the session must neither fall over nor sign a
// record that is not its own.
func FuzzHostileController(f *testing.F) {
	id, err := key.NewIdentity()
	if err != nil {
		f.Fatal(err)
	}
	own := identity{tenant: 1, network: 2, node: 3, key: id, wg: key.NewWGPrivate().Public()}
	seed := func(frames ...*pb.Frame) {
		var b []byte
		for _, x := range frames {
			b, _ = control.AppendFrame(b, x)
		}
		f.Add(b)
	}
	seed(welcome())
	seed(welcome(), welcome())
	seed(welcome(), &pb.Frame{Body: &pb.Frame_Map{Map: &pb.Map{Snapshot: true, Self: &pb.Self{Record: []byte("x")}}}})
	seed(welcome(), &pb.Frame{Body: &pb.Frame_Ping{Ping: &pb.Ping{Nonce: 1}}}, &pb.Frame{Body: &pb.Frame_Renewed{Renewed: &pb.Renewed{Chain: [][]byte{{1}}}}})
	seed(goaway(pb.GoawayReason_GOAWAY_REASON_CLONED, time.Hour))
	f.Fuzz(func(t *testing.T, b []byte) {
		mine, theirs := stream.Pipe(stream.Info{}, stream.Info{})
		said := make(chan []*pb.Frame)
		go func() {
			var all []*pb.Frame
			for {
				x, err := theirs.Recv()
				if err != nil {
					theirs.Close()
					said <- all
					return
				}
				all = append(all, x)
			}
		}()
		s := New(Config{Membership: Membership{Tenant: 1, Network: 2, Node: 3}, Identity: id, WG: own.wg, Clock: NewClock(nil, time.Time{}), Table: &table{}, Log: slog.New(slog.DiscardHandler)})
		l := &link{Session: s, st: mine}
		for r := bufio.NewReader(bytes.NewReader(b)); ; {
			x, err := control.ReadFrame(r, 0)
			if err != nil || l.frame(t.Context(), x) != nil || l.tick(t.Context()) != nil {
				break
			}
		}
		mine.Close()
		for _, x := range <-said {
			if g := x.GetSigned(); g != nil && own.check(g.Record) != nil {
				t.Fatalf("signed %v", g)
			}
		}
	})
}
