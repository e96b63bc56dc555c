package sock

import "fmt"

// OpenGroup opens n sockets on one port, for as many workers: the kernel gives all datagrams of one remote to one of them. A port that
// anybody has already is refused (ErrPortTaken), though sockets of this user that ask to share it may join later.
func OpenGroup(c Config, n int) ([]Socket, error) {
	if n < 1 {
		return nil, fmt.Errorf("open UDP port %d: a group of %d sockets", c.Port, n)
	}
	c.Shared = false // the first finds out whether the port is free, and lets others join afterwards
	first, err := Open(c)
	if err != nil {
		return nil, err
	}
	group := []Socket{first}
	if err = first.(*udp).share(); err == nil {
		c.Port, c.Shared = first.Port(), true
		for len(group) < n && err == nil {
			var s Socket
			if s, err = Open(c); err == nil {
				group = append(group, s)
			}
		}
	}
	if err != nil {
		for _, s := range group {
			s.Close()
		}
		return nil, fmt.Errorf("open %d sockets on one port: %w", n, err)
	}
	return group, nil
}

// share lets others join.
func (u *udp) share() (err error) {
	if e := u.raw.Control(func(fd uintptr) { err = share(int(fd)) }); e != nil {
		return e
	}
	return err
}
