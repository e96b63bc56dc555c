package server

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/cvlan/cvlan/internal/sys/mark"
	"github.com/cvlan/cvlan/internal/sys/sock"
)

// open takes the ports.
func open(c *Config) (s Sockets, err error) {
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	lc := net.ListenConfig{KeepAlive: -1, Control: mark.Control} // see tune
	for try := 0; ; try++ {
		if s.UDP, s.QUIC, err = openUDP(c); err != nil {
			return s, err
		}
		s.TCP, err = lc.Listen(context.Background(), "tcp", fmt.Sprintf(":%d", s.UDP[0].Port()))
		if err == nil {
			break
		}
		if c.Port != 0 || try == 8 {
			return s, fmt.Errorf("listen on TCP port %d: %w; another program may have it: `ss -tlpn` shows which", s.UDP[0].Port(), err)
		}
		s.close()
	}
	if c.STUN != 0 {
		u, err := sock.Open(sock.Config{Port: c.STUN})
		if err != nil {
			return s, fmt.Errorf("relay: port for STUN: %w", err)
		}
		s.STUN = []sock.Socket{u}
	}
	return s, nil
}

// openUDP opens the workers' sockets, and QUIC's beside them where the kernel can tell them apart.
func openUDP(c *Config) ([]sock.Socket, net.PacketConn, error) {
	group, quic, err := sock.OpenBeside(sock.Config{Port: c.Port}, c.Workers)
	if err == nil {
		return group, quic, nil
	}
	if errors.Is(err, sock.ErrPortTaken) {
		return nil, nil, err
	}
	c.Log.Warn("QUIC is off: the system cannot give it a socket of its own", "error", err)
	group, err = sock.OpenGroup(sock.Config{Port: c.Port}, c.Workers)
	return group, nil, err
}
