//go:build interop && linux

package interop

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/sys/osnet"
)

// ask sends one echo of so many bytes through the tunnel and returns why none came back.
func (s *side) ask(ctx context.Context, to netip.Addr, payload int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return s.host.Do(func() error {
		_, err := osnet.New(osnet.Options{}).Ping(ctx, link, to, payload)
		return err
	})
}

// reaches waits until the other side answers, inside.
func (w *world) reaches(s *side, to netip.Addr, limit time.Duration) time.Duration {
	w.t.Helper()
	return w.eventually(limit, fmt.Sprintf("%s reaches %s", s.host.Name(), to), func() error { return s.ask(w.ctx, to, 56) })
}

// established makes the sides peers, has one reach the other, and the other answer.
func (w *world) established(begins, answers *side, o peerOptions) {
	w.t.Helper()
	w.introduce(begins, answers, o)
	w.reaches(begins, answers.inner4, soon)
	w.reaches(answers, begins.inner4, soon)
}

// stats reads what a side tells.
func (w *world) stats(s *side) peerStats {
	w.t.Helper()
	p, err := s.Stats(w.ctx)
	w.must(err)
	return p
}

// exchange sends bytes both ways at once over one TCP connection, which from opens, and compares what arrived with what was sent.
func (w *world) exchange(from, to *side, at netip.Addr, there, back int64) error {
	ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
	defer cancel()
	var l net.Listener
	err := to.host.Do(func() (err error) {
		l, err = net.Listen("tcp", netip.AddrPortFrom(at, 0).String())
		return err
	})
	if err != nil {
		return err
	}
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	var ends [2]net.Conn
	var errs [2]error
	var both sync.WaitGroup
	both.Go(func() { ends[1], errs[1] = l.Accept() })
	errs[0] = from.host.Do(func() (err error) {
		ends[0], err = (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
		return err
	})
	if errs[0] != nil {
		l.Close()
	}
	both.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return talk(ctx, ends, [2]int64{there, back})
}

// talk has both ends of a connection send and receive at the same time.
func talk(ctx context.Context, ends [2]net.Conn, bytes [2]int64) error {
	deadline, _ := ctx.Deadline()
	var sent, got [2][sha256.Size]byte
	var errs [4]error
	var all sync.WaitGroup
	for i, c := range ends {
		defer c.Close()
		c.SetDeadline(deadline)
		all.Go(func() { sent[i], errs[i] = send(c.(*net.TCPConn), byte(i), bytes[i]) })
		all.Go(func() { got[1-i], errs[2+i] = receive(c, bytes[1-i]) })
	}
	all.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	if sent != got {
		return errors.New("what arrived is not what was sent")
	}
	return nil
}

func send(c *net.TCPConn, seed byte, bytes int64) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	random := rand.NewChaCha8([32]byte{seed})
	if _, err := io.CopyN(io.MultiWriter(c, h), random, bytes); err != nil {
		return sum, fmt.Errorf("send: %w", err)
	}
	return [sha256.Size]byte(h.Sum(nil)), c.CloseWrite()
}

func receive(c net.Conn, bytes int64) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	if n, err := io.Copy(h, c); err != nil || n != bytes {
		return sum, fmt.Errorf("receive: %d of %d bytes: %w", n, bytes, err)
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}
