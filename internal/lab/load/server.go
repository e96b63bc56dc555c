package load

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// Server answers clients on one TCP and UDP port.
type Server struct {
	tcp   net.Listener
	udp   net.PacketConn
	slots chan struct{}
}

// Listen opens the port: "203.0.113.1:5201". Port 0 chooses one that is free for TCP and UDP.
func Listen(addr string) (*Server, error) {
	for tries := 1; ; tries++ {
		s, err := listen(addr)
		if err == nil || tries == 20 || !strings.HasSuffix(addr, ":0") {
			return s, err
		}
	}
}

// listen opens what the system chooses for TCP, which somebody may have for UDP.
func listen(addr string) (*Server, error) {
	tcp, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for streams: %w", err)
	}
	udp, err := net.ListenPacket("udp", tcp.Addr().String())
	if err != nil {
		tcp.Close()
		return nil, fmt.Errorf("listen for packets: %w", err)
	}
	return &Server{tcp, udp, make(chan struct{}, maxStreams)}, nil
}

// Addr returns where the server listens.
func (s *Server) Addr() net.Addr { return s.tcp.Addr() }

// Run serves until the context ends and closes the port.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	context.AfterFunc(ctx, func() { s.tcp.Close(); s.udp.Close() })
	all.Go(s.echo)
	for {
		c, err := s.tcp.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept a stream: %w", err)
		}
		select {
		case s.slots <- struct{}{}:
		default:
			c.Close() // too many
			continue
		}
		all.Go(func() {
			defer func() { <-s.slots }()
			defer c.Close()
			stop := context.AfterFunc(ctx, func() { c.Close() })
			defer stop()
			_ = serve(c.(*net.TCPConn)) // the client sees and tells what failed
		})
	}
}

func (s *Server) echo() {
	buf := make([]byte, 65536)
	for {
		n, from, err := s.udp.ReadFrom(buf)
		if err != nil {
			return
		}
		_, _ = s.udp.WriteTo(buf[:n], from) // one that is lost is the client's to count
	}
}

func serve(c *net.TCPConn) error {
	var header [headerLen]byte
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadFull(c, header[:]); err != nil {
		return err
	}
	c.SetDeadline(time.Now().Add(maxFor + time.Minute))
	switch number := binary.BigEndian.Uint64(header[1:]); header[0] {
	case down:
		_, err := send(c, time.Duration(min(number, uint64(maxFor))))
		return err
	case packets:
		return hear(c, number)
	}
	n, err := count(c)
	if err != nil {
		return err
	}
	_, err = c.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
	return err
}

// send writes for a time and says how much.
func send(c *net.TCPConn, d time.Duration) (total int64, err error) {
	usual(c)
	buf := make([]byte, chunk)
	for end := time.Now().Add(d); time.Now().Before(end); {
		n, err := c.Write(buf)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
	return total, c.CloseWrite()
}

// count reads to the end. It copies into its own memory, as a program would, and does not splice.
func count(c *net.TCPConn) (total int64, err error) {
	buf := make([]byte, chunk)
	for {
		n, err := c.Read(buf)
		total += int64(n)
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}
