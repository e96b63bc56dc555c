package stream

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAPeerThatTakesNothingIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var twin Twin
		ended := make(chan error, 1)
		stop := bubbled(t, &twin, ListenConfig{}, func(_ context.Context, s Stream) {
			ready := 0
			s.OnReady(func() { ready++ })
			s.Recv()
			shared := bulk(40 << 10)
			taken := 0
			for ; s.TrySend(shared) == nil; taken++ {
				synctest.Wait() // the writer is through, or stuck for good
			}
			if taken < 2 || taken*len(shared) > inFlight+2*len(shared) {
				t.Error("taken:", taken)
			}
			if !errors.Is(s.TrySend(shared), ErrWouldBlock) || ready != 0 {
				t.Error("not blocked, or ready:", ready)
			}
			start := time.Now()
			_, err := s.Recv() // ends because the write has failed
			if took := time.Since(start); took != stall {
				t.Error("given up after", took)
			}
			if err2 := s.TrySend(shared); err2 == nil || err2.Error() != err.Error() {
				t.Error(err2)
			}
			ended <- err
		})
		defer stop()
		s := dial(t, DialConfig{Addrs: []string{here.String()}, Transport: TCP, DialTCP: twin.DialTCP})
		s.Send(t.Context(), encode(ping(1)))
		if err := <-ended; !strings.Contains(err.Error(), "taken nothing for 10s") {
			t.Error(err)
		}
		s.Close()
	})
}

func TestASlowPeerIsNotGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var twin Twin
		const frames = 80
		stop := bubbled(t, &twin, ListenConfig{}, func(ctx context.Context, s Stream) {
			s.Recv()
			all := []byte{}
			for range frames {
				all = append(all, bulk(15<<10)...)
			}
			start := time.Now()
			if err := s.Send(ctx, all); err != nil {
				t.Error(err)
			}
			if took := time.Since(start); took < 2*time.Minute {
				t.Error("the peer was not slow:", took)
			}
		})
		defer stop()
		s := dial(t, DialConfig{Addrs: []string{here.String()}, Transport: TCP, DialTCP: twin.DialTCP})
		s.Send(t.Context(), encode(ping(1)))
		for i := range frames {
			if _, err := s.Recv(); err != nil {
				t.Fatal(i, err)
			}
			time.Sleep(2 * time.Second)
		}
		s.Close()
	})
}

func TestHandlersSayGoodbyeAndAreThenCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var twin Twin
		polite, deaf := make(chan struct{}), make(chan struct{})
		n := 0
		stop := bubbled(t, &twin, ListenConfig{}, func(ctx context.Context, s Stream) {
			if f, err := s.Recv(); err != nil || f.GetPing().GetNonce() == 1 {
				<-ctx.Done()
				s.Send(context.Background(), encode(ping(5)))
				n++
				close(polite)
				return
			}
			s.Recv() // does not listen to the context
			n++
			close(deaf)
		})
		a := dial(t, DialConfig{Addrs: []string{here.String()}, Transport: TCP, DialTCP: twin.DialTCP})
		b := dial(t, DialConfig{Addrs: []string{here.String()}, Transport: TCP, DialTCP: twin.DialTCP})
		a.Send(t.Context(), encode(ping(1)))
		b.Send(t.Context(), encode(ping(2)))
		synctest.Wait()
		start := time.Now()
		go stop()
		<-polite
		if f, err := a.Recv(); err != nil || f.GetPing().GetNonce() != 5 {
			t.Error("no goodbye", err)
		}
		a.Close()
		<-deaf
		if took := time.Since(start); took != grace {
			t.Error(took)
		}
		b.Close()
		stop()
		if n != 2 {
			t.Error("Serve returned before its handlers")
		}
	})
}

func TestAPipeIsAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(Info{Transport: TCP, Local: here}, Info{Transport: TCP, Remote: here})
		if a.Info().Local != here || b.Info().Remote != here {
			t.Error(a.Info(), b.Info())
		}
		go echo(t.Context(), b)
		exchange(t, a, 1)
		a.Close()
		b.Close()
		if _, err := a.Recv(); err == nil {
			t.Error("received from a closed pipe")
		}

		c, d := Pipe(Info{}, Info{})
		ready := make(chan struct{}, 1)
		c.OnReady(func() { ready <- struct{}{} })
		big := bulk(100 << 10)
		if err := c.TrySend(big); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if err := c.TrySend(big); err != ErrWouldBlock {
			t.Error(err)
		}
		if _, err := d.Recv(); err != nil {
			t.Error(err)
		}
		<-ready
		go c.Close()
		if _, err := d.Recv(); err != io.EOF {
			t.Error(err)
		}
		d.Close()
		c.Close()
	})
}
