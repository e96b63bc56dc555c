package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/internal/base/trust/trusttest"
	"github.com/cvlan/cvlan/proto/control"
)

func TestNodeAndControllerTalk(t *testing.T) {
	each(t, func(t *testing.T, transport Transport) {
		infos := make(chan Info, 1)
		at := serve(t, ListenConfig{}, func(ctx context.Context, s Stream) {
			infos <- s.Info()
			echo(ctx, s)
		})
		s := dial(t, DialConfig{Addrs: []string{at.String()}, Transport: transport})
		for i := range uint64(5) {
			exchange(t, s, i)
		}
		there, here := <-infos, s.Info()
		if here.Transport != transport || there.Transport != transport || here.Remote != at || there.Local != at {
			t.Error(here, there)
		}
		if here.Local.Port() != there.Remote.Port() || there.Remote.Addr() != at.Addr() {
			t.Error(here.Local, there.Remote)
		}
		if n, err := trust.NameOf(there.Chain[0]); err != nil || n != trust.NodeName(trusttest.Domain, 7, 9) {
			t.Error(n, err)
		}
		if n, err := trust.NameOf(here.Chain[0]); err != nil || n.Role != trust.RoleController {
			t.Error(n, err)
		}
	})
}

func TestTheLastWordArrives(t *testing.T) {
	each(t, func(t *testing.T, transport Transport) {
		for {
			start := time.Now()
			err := lastWord(t, transport)
			if err == nil {
				return
			}
			if time.Since(start) < flush*9/10 { // else the machine was away for as long as Close waits
				t.Fatal(err)
			}
		}
	})
}

// lastWord tells a client much and hangs up.
func lastWord(t *testing.T, transport Transport) error {
	const size = 300 << 10
	at := serve(t, ListenConfig{}, func(_ context.Context, s Stream) {
		s.Recv()
		s.TrySend(bulk(size)) // still under way when the handler returns
	})
	s := dial(t, DialConfig{Addrs: []string{at.String()}, Transport: transport})
	if err := s.Send(context.Background(), append(encode(ping(1)), bulk(10<<10)...)); err != nil { // the second is never read
		return err
	}
	f, err := s.Recv()
	if err != nil || len(f.GetRenew().GetCsr()) != size {
		return fmt.Errorf("%d bytes arrive: %v", len(f.GetRenew().GetCsr()), err)
	}
	if _, err := s.Recv(); err != io.EOF {
		return fmt.Errorf("the end is not an end: %v", err)
	}
	start := time.Now()
	s.Close()
	if took := time.Since(start); took > flush*9/10 {
		return fmt.Errorf("close waits for somebody who has gone: %v", took)
	}
	return nil
}

func TestEachRefusalIsFollowedByAnInvitation(t *testing.T) {
	each(t, func(t *testing.T, transport Transport) {
		taken := make(chan int, 1)
		at := serve(t, ListenConfig{}, func(_ context.Context, s Stream) {
			ready := make(chan struct{}, 8)
			s.OnReady(func() { ready <- struct{}{} })
			s.Recv()
			shared, n := bulk(50<<10), 0
			for range 50 {
				err := s.TrySend(shared)
				for ; err == nil; n++ {
					err = s.TrySend(shared)
				}
				if err != ErrWouldBlock {
					t.Error(err)
				}
				<-ready
				if len(ready) != 0 {
					t.Error("invited twice for one run of refusals")
				}
			}
			taken <- n
			s.Send(context.Background(), encode(ping(2)))
			s.Recv() // the client has it all
		})
		s := dial(t, DialConfig{Addrs: []string{at.String()}, Transport: transport})
		s.Send(context.Background(), encode(ping(1)))
		got := 0
		for {
			f, err := s.Recv()
			if f.GetPing() != nil {
				break
			}
			if err != nil || len(f.GetRenew().GetCsr()) != 50<<10 {
				t.Fatal(got, err)
			}
			got++
		}
		if n := <-taken; n != got || n < 50 {
			t.Error("taken", n, "arrived", got)
		}
	})
}

func TestFramesBeyondTheLimitEndTheStream(t *testing.T) {
	each(t, func(t *testing.T, transport Transport) {
		errs := make(chan error, 1)
		at := serve(t, ListenConfig{Limit: 1000}, func(_ context.Context, s Stream) {
			if _, err := s.Recv(); err != nil {
				t.Error(err)
			}
			s.Limit(2000)
			if _, err := s.Recv(); err != nil {
				t.Error(err)
			}
			_, err := s.Recv()
			errs <- err
		})
		s := dial(t, DialConfig{Addrs: []string{at.String()}, Transport: transport})
		for _, n := range []int{900, 1900, 2100} {
			if err := s.Send(context.Background(), bulk(n)); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-errs; !errors.Is(err, control.ErrTooLong) {
			t.Error(err)
		}
	})
}

func TestAfterCloseNothingWorks(t *testing.T) {
	each(t, func(t *testing.T, transport Transport) {
		at := serve(t, ListenConfig{}, echo)
		s := dial(t, DialConfig{Addrs: []string{at.String()}, Transport: transport})
		exchange(t, s, 1)
		reading := make(chan error, 1)
		go func() {
			_, err := s.Recv()
			reading <- err
		}()
		s.Close()
		s.Close()
		if err := <-reading; !errors.Is(err, net.ErrClosed) {
			t.Error("Recv:", err)
		}
		if err := s.Send(context.Background(), encode(ping(2))); !errors.Is(err, net.ErrClosed) {
			t.Error("Send:", err)
		}
		if err := s.TrySend(encode(ping(2))); !errors.Is(err, net.ErrClosed) {
			t.Error("TrySend:", err)
		}
	})
}

func TestASendThatIsCalledOffEndsTheStream(t *testing.T) {
	each(t, func(t *testing.T, transport Transport) {
		gone := make(chan struct{})
		at := serve(t, ListenConfig{}, func(ctx context.Context, s Stream) {
			<-gone // reads nothing
		})
		s := dial(t, DialConfig{Addrs: []string{at.String()}, Transport: transport})
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		defer close(gone)
		var err error
		for range 100 {
			if err = s.Send(ctx, bulk(1<<19)); err != nil {
				break
			}
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := s.Send(context.Background(), encode(ping(1))); err == nil {
			t.Error("half a frame was sent, and the stream goes on")
		}
	})
}
