// Package svc has the system's service manager keep cvland running. It knows systemd; elsewhere there is nothing yet, and Find says so.
//
// The unit shuts the daemon in as far as its work allows: it may make network interfaces and use raw sockets, write its own
// state, and open /dev/net/tun, and nothing else of the machine. What it may must be known here: a daemon that learns to do more (to
// write /etc/resolv.conf, say) needs a line in Unit in the same commit.
package svc
