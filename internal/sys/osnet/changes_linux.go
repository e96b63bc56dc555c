package osnet

import (
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// watch subscribes to the kernel's news on one socket. What exactly has changed does not matter here, so nothing is parsed.
func watch() (watcher, error) {
	s, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
		unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE)
	if err != nil {
		return nil, err
	}
	return subscription{s}, nil
}

type subscription struct{ s *nl.NetlinkSocket }

func (w subscription) next() error {
	_, _, err := w.s.Receive()
	return err
}

func (w subscription) close() error {
	w.s.Close()
	return nil
}
