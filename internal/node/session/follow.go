package session

import (
	"net"
	"slices"

	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// follow takes up where the controller wants to be reached, and how, from the next session on.
func (s *Session) follow(w *pb.Welcome) {
	switch w.Transport {
	case pb.Transport_TRANSPORT_QUIC:
		s.steer = stream.QUIC
	case pb.Transport_TRANSPORT_TCP:
		s.steer = stream.TCP
	default:
		s.steer = ""
	}
	addrs := acceptable(w.Addresses)
	if len(addrs) == 0 || slices.Equal(addrs, s.addrs) {
		return
	}
	s.addrs = addrs
	if s.cfg.Moved == nil {
		return
	}
	if err := s.cfg.Moved(addrs); err != nil {
		s.log.Warn("controller's new addresses not kept", logx.Err, err)
	}
}

// acceptable returns what of a list is an address: host:port in printable ASCII, at most half of what is kept, so that the join
// key's own are never crowded out.
func acceptable(list []string) []string {
	var out []string
	for _, a := range list {
		host, port, err := net.SplitHostPort(a)
		plain := !slices.ContainsFunc([]byte(a), func(c byte) bool { return c <= ' ' || c > '~' })
		if err == nil && host != "" && port != "" && plain && len(a) <= 255 && len(out) < MaxAddrs/2 {
			out = append(out, a)
		}
	}
	return out
}
