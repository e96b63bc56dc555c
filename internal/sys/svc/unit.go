package svc

import (
	"path/filepath"
	"slices"
	"strings"
)

// Name is the service's.
const Name = "cvland"

// unit is the service as systemd reads it; every line is there for a reason:
//
//   - modprobe@tun: the module must be there before the daemon is, which itself may not load any.
//   - After=network.target and no more: the daemon waits for the network by itself, and must not hold up the boot.
//   - RuntimeDirectory holds the socket, and stays when the daemon restarts: programs that watch find it again.
//   - TimerSlackNSec: sched.Slack, for which the daemon lacks the right.
//   - The capabilities: interfaces, routes and large socket buffers; echo requests; ports below 1024 for a relay.
//   - /etc/resolv.conf: names of networks, where no systemd-resolved is; a file that another program puts in its place later is not ours to write.
//   - ReadOnlyPaths and no ProtectKernelTunables: who offers a route or an exit switches forwarding on, and an exit's user eases rp_filter, below /proc/sys/net.
//   - AF_NETLINK: routes and addresses. AF_UNIX: the socket.
//   - No ProtectProc and no PrivateUsers: the kernel's word about who is at the socket's other end must be true.
const unit = `[Unit]
Description=CloudVLAN: keeps this machine in its networks
Wants=modprobe@tun.service
After=network.target modprobe@tun.service
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=%PROGRAM%
Restart=always
RestartSec=2
StateDirectory=cvlan
StateDirectoryMode=0700
RuntimeDirectory=cvlan
RuntimeDirectoryMode=0755
RuntimeDirectoryPreserve=restart
LimitNOFILE=65536
TimerSlackNSec=1ms
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE
DevicePolicy=closed
DeviceAllow=/dev/net/tun rw
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=-/etc/resolv.conf
ProtectHome=yes
PrivateTmp=yes
ProtectClock=yes
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ReadOnlyPaths=/sys -/proc/sys/kernel -/proc/sys/vm -/proc/sys/fs
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`

// Unit returns the text of the unit that runs a program, which is an absolute path.
func Unit(program string) string { return strings.Replace(unit, "%PROGRAM%", quoted(program), 1) }

// homes are the folders that ProtectHome empties for the service.
var homes = []string{"/home/", "/root/", "/run/user/"}

// Hidden reports whether the service would not find a program, wherever links to it are. What lies in a home its owner may also change, and root
// would run it.
func Hidden(program string) bool {
	if real, err := filepath.EvalSymlinks(program); err == nil {
		program = real
	}
	return slices.ContainsFunc(homes, func(home string) bool { return strings.HasPrefix(program, home) })
}

// quoted writes a path as systemd.service(5) reads it: in quotes, and with what it would replace doubled.
func quoted(path string) string {
	text := strings.NewReplacer("%", "%%", "$", "$$", `\`, `\\`, `"`, `\"`).Replace(path)
	if text == path && !strings.ContainsAny(path, " '\t;") {
		return path
	}
	return `"` + text + `"`
}

// programOf is the program that a unit of ours runs.
func programOf(unit string) string {
	_, rest, _ := strings.Cut(unit, "\nExecStart=")
	line, _, _ := strings.Cut(rest, "\n")
	if inner, ok := strings.CutPrefix(line, `"`); ok {
		line = strings.TrimSuffix(inner, `"`)
	}
	return strings.NewReplacer("%%", "%", "$$", "$", `\\`, `\`, `\"`, `"`).Replace(line)
}
