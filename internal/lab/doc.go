// Package lab builds small real networks inside one Linux machine: computers, routers, firewalls, NATs and bad links
// out of network namespaces, so that real binaries can be shown, tested and measured with real TUN devices, sockets
// and kernels' habits. It needs no tool of the machine: namespaces, links, routes and nftables are set through netlink.
//
// # Sandbox
//
// Everything happens in a sandbox: the program starts itself again in its own mount, network, PID and IPC namespace
// (and, without CAP_SYS_ADMIN, in its own user namespace) with a private /run, /etc and /var/lib. The machine's
// network, resolver and state cannot be reached from inside. The first process of the PID namespace dies with the
// program that started it, and the kernel ends every other process with it: nothing is left behind, even by kill -9.
// What an installation of this project has in /etc and /var/lib is out of sight, and every host has a home folder of
// its own. /tmp and the rest of the file system stay shared, so that built programs run and results can be kept.
//
// A program enters by [Main], a test binary by [TestMain]. Where the machine forbids a sandbox, Main says what is
// missing and ends with [ExitUnavailable]; tests that call New skip with that reason.
//
// # Network
//
//	          ctl 203.0.113.1          (Public: on the internet, 2001:db8:ff:N::1)
//	           |
//	--------- inet ---------           one router, an unnumbered /32 link to everything below it
//	 |                    |
//	r-a  site "port"     r-b  site "none+v6open"
//	 | 192.168.1.0/24     | 198.18.2.0/24, 2001:db8:2::/64
//	 a                    b
//
// A site is a LAN behind a router of its own; [Spec] names what that router does to packets. A site may stand behind
// another site's router (carrier-grade NAT). Addresses come from the documentation and benchmark ranges of RFC 5737,
// RFC 2544 and RFC 3849, LANs behind a NAT from 192.168.0.0/16, carrier networks from 100.64.0.0/10 (RFC 6598).
//
// # Stories
//
//	l := lab.New(t)
//	ctl := l.Public("ctl")
//	a := l.Site("home", "port").Host("a")
//	ctl.Start("cvlan-controller", "serve", "--data", "/var/lib/cvlan")
//	a.Start("cvland").WaitLog(ctx, "ready")
//	l.Cut(a, ctl)
//
// Building and faults do not return errors: what fails there is the laboratory, not the thing under test. It ends
// the test (t.Fatal) or, under Main, the program, with the reason. Call these from the test's own goroutine.
package lab
