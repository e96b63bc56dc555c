package resolver

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/cvlan/cvlan/internal/core/names"
)

// askTimeout is how long one server may take, and maxServers how many are asked one after the other: programs give up after about as long.
const (
	askTimeout = 2 * time.Second
	maxServers = 3
)

var (
	errNobody = errors.New("there is nobody to ask")
	errLoop   = errors.New("who was asked about that has asked us")
)

// forwarder asks others. It is replaced when they are others.
type forwarder struct {
	servers []netip.Addr
	dial    func(ctx context.Context, network, address string) (net.Conn, error)

	mu     sync.Mutex
	asking map[string]int // questions that servers of this machine are being asked
}

// ask has one server after the other asked until one answers.
func (f *forwarder) ask(ctx context.Context, msg []byte, stream bool) ([]byte, error) {
	if len(f.servers) == 0 || len(msg) < 12 {
		return nil, errNobody
	}
	question, err := questionOf(msg)
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, s := range f.servers[:min(len(f.servers), maxServers)] {
		answer, err := f.askOne(ctx, s, question, msg, stream)
		if err == nil {
			return answer, nil
		}
		faults = append(faults, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(faults...)
}

// askOne asks one. A server on this machine may have been told to ask us: the same question is not passed on to it twice at a time.
func (f *forwarder) askOne(ctx context.Context, server netip.Addr, question string, msg []byte, stream bool) ([]byte, error) {
	if server.IsLoopback() {
		if !f.enter(question) {
			return nil, errLoop
		}
		defer f.leave(question)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	network := "udp"
	if stream {
		network = "tcp"
	}
	dial := f.dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	c, err := dial(ctx, network, netip.AddrPortFrom(server, 53).String())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	unwatch := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer unwatch()
	asked := append([]byte(nil), msg...)
	_, _ = rand.Read(asked[:2])
	answer, err := exchange(c, asked, stream)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", server, err)
	}
	copy(answer[:2], msg[:2])
	return answer, nil
}

// exchange sends a message and returns what answers it. By UDP anything else is passed over.
func exchange(c net.Conn, asked []byte, stream bool) ([]byte, error) {
	if stream {
		if err := writeFramed(c, asked); err != nil {
			return nil, err
		}
		answer, err := readFramed(c)
		if err == nil && !answers(answer, asked) {
			err = errors.New("the answer is to something else")
		}
		return answer, err
	}
	if _, err := c.Write(asked); err != nil {
		return nil, err
	}
	buf := make([]byte, names.MaxMessage)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return nil, err
		}
		if answers(buf[:n], asked) {
			return buf[:n:n], nil
		}
	}
}

// answers reports whether a message answers another: its number, and its question if it repeats one, as a refusal need not.
func answers(answer, asked []byte) bool {
	if len(answer) < 12 || !bytes.Equal(answer[:2], asked[:2]) || answer[2]&0x80 == 0 {
		return false
	}
	if answer[4] == 0 && answer[5] == 0 {
		return answer[3]&15 != byte(dnsmessage.RCodeSuccess)
	}
	a, errA := questionOf(answer)
	b, errB := questionOf(asked)
	return errA == nil && errB == nil && a == b
}

// questionOf is a message's question as text.
func questionOf(msg []byte) (string, error) {
	var p dnsmessage.Parser
	if _, err := p.Start(msg); err != nil {
		return "", err
	}
	q, err := p.Question()
	if err != nil {
		return "", err
	}
	return names.Canonical(q.Name.String()) + " " + q.Type.String() + " " + q.Class.String(), nil
}

func (f *forwarder) enter(question string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asking == nil {
		f.asking = map[string]int{}
	}
	if f.asking[question] > 0 {
		return false
	}
	f.asking[question]++
	return true
}

func (f *forwarder) leave(question string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.asking, question)
}
