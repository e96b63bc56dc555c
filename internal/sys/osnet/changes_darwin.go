package osnet

import (
	"os"

	"golang.org/x/sys/unix"
)

// watch opens a routing socket (route(4)): every message on it is news of a link, an address or a route.
func watch() (watcher, error) {
	fd, err := unix.Socket(unix.AF_ROUTE, unix.SOCK_RAW, unix.AF_UNSPEC)
	if err != nil {
		return nil, err
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &routeSocket{f: os.NewFile(uintptr(fd), "route")}, nil
}

type routeSocket struct {
	f   *os.File
	buf [2048]byte
}

func (s *routeSocket) next() error {
	_, err := s.f.Read(s.buf[:])
	return err
}

func (s *routeSocket) close() error { return s.f.Close() }
