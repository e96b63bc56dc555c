package localapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/logx"
)

// Bounds of connections.
const (
	maxConnsUser = 16
	maxConns     = 512 // of everybody but root
	maxPath      = 107 // bytes of a Unix socket's path on Linux, less one
)

// ErrTaken is why a second daemon does not get the socket of the first.
var ErrTaken = errors.New("another daemon answers there")

var errNotLocal = errors.New("the system does not say who connected")

// listen makes the socket: 0666 in a folder of ours that only we can write, so that nobody can put another in its place.
func listen(path string) (*net.UnixListener, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("local socket %s: the path is longer than %d bytes; choose another with --socket", path, maxPath)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("local socket: make its folder: %w; choose another with --socket", err)
	}
	if err := vacate(path); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("local socket %s: %w; choose another with --socket", path, err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		l.Close()
		return nil, fmt.Errorf("local socket %s: %w", path, err)
	}
	return l, nil
}

// vacate removes a socket that a killed daemon left; one that still answers, or anything that is no socket, stays.
func vacate(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("local socket %s: %w", path, err)
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("local socket %s: something else is there; remove it or choose another with --socket", path)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return fmt.Errorf("local socket %s: %w; stop it or choose another with --socket", path, ErrTaken)
	}
	return os.Remove(path)
}

// counted is a listener that knows who connects and how often. A user over the limit gets an answer that says so.
type counted struct {
	*net.UnixListener
	s     *Server
	mu    sync.Mutex
	users map[uint32]int
	all   int // without root's
}

// conn is one connection and its caller.
type conn struct {
	net.Conn
	who  caller
	once sync.Once
	gone func()
}

// Accept waits for the next connection of somebody who may have one more.
func (l *counted) Accept() (net.Conn, error) {
	for {
		c, err := l.UnixListener.Accept()
		if err != nil {
			return nil, err
		}
		who, err := callerOf(c)
		if err != nil {
			l.s.log.Warn("local connection refused", logx.Err, err)
			c.Close()
			continue
		}
		if !l.admit(who) {
			crowd(c)
			continue
		}
		return &conn{Conn: c, who: who, gone: func() { l.release(who) }}, nil
	}
}

func (l *counted) admit(who caller) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users[who.uid] >= maxConnsUser || who.uid != 0 && l.all >= maxConns {
		return false
	}
	l.users[who.uid]++
	if who.uid != 0 {
		l.all++
	}
	return true
}

func (l *counted) release(who caller) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users[who.uid]--; l.users[who.uid] == 0 {
		delete(l.users, who.uid)
	}
	if who.uid != 0 {
		l.all--
	}
}

// Close closes the connection and frees its place.
func (c *conn) Close() error {
	c.once.Do(c.gone)
	return c.Conn.Close()
}

// crowd answers without reading. The write cannot block for long: the socket's buffer is empty.
func crowd(c net.Conn) {
	e := local.CodeBusy.Problem("talk to the daemon", fmt.Sprintf("this user already has %d connections", maxConnsUser), "close some of the programs that watch it")
	body, _ := json.Marshal(e)
	_ = c.SetDeadline(time.Now().Add(time.Second))
	fmt.Fprintf(c, "HTTP/1.1 %d Too Many Requests\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", e.Status, local.ProblemType, len(body), body)
	c.Close()
}
