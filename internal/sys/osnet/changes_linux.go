package osnet

import (
	"slices"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// watch subscribes to the kernel's news on one socket. What exactly has changed does not matter here, but routes of OwnProtocol do not count.
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
	for {
		news, _, err := w.s.Receive()
		if err != nil || slices.ContainsFunc(news, foreign) {
			return err
		}
	}
}

// foreign reports whether news are about something that is not ours.
func foreign(m syscall.NetlinkMessage) bool {
	const protocol = 5 // in struct rtmsg
	route := m.Header.Type == unix.RTM_NEWROUTE || m.Header.Type == unix.RTM_DELROUTE
	return !route || len(m.Data) <= protocol || m.Data[protocol] != OwnProtocol && m.Data[protocol] != routeProtocol
}

func (w subscription) close() error {
	w.s.Close()
	return nil
}
