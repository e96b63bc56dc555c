package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// special adds what only Linux has.
func special(ctx context.Context, h *HostFacts) {
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		h.Systemd = true
		if state := ask(ctx, "systemctl", "show", "--property=LoadState", "--value", "cvland.service"); state == "loaded" {
			h.Unit = ask(ctx, "systemctl", "show", "--property=ActiveState", "--value", "cvland.service")
			if h.Unit == "activating" || h.Unit == "failed" {
				h.Said = lastWord(ctx)
			}
		}
	}
	h.Rules = routingRules(ctx)
	h.TUN = tunTrouble(h.Root)
	h.NoNetAdmin = h.Root && !mayMakeInterfaces()
	if h.Root {
		h.Forward = dropping(ctx, h.Interfaces)
	}
	h.Buffers = min(setting("net/core/rmem_max"), setting("net/core/wmem_max"))
}

// notStarted is the exit status by which systemd says that it could not run the program (systemd.exec(5)).
const notStarted = "203"

// lastWord is what the daemon's log ends with, if this user may read that.
func lastWord(ctx context.Context) string {
	if ask(ctx, "systemctl", "show", "--property=ExecMainStatus", "--value", "cvland.service") == notStarted {
		return "its program is not there, or may not be run: systemctl cat cvland shows which it is"
	}
	return ask(ctx, "journalctl", "_SYSTEMD_UNIT=cvland.service", "-n", "1", "-o", "cat", "--no-pager", "-q")
}

// tunTrouble opens the device, which makes no interface yet.
func tunTrouble(root bool) string {
	f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	switch {
	case err == nil:
		f.Close()
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return "missing"
	case root && errors.Is(err, fs.ErrPermission):
		return "forbidden"
	}
	return ""
}

func mayMakeInterfaces() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	return unix.Capget(&header, &data[0]) != nil || data[0].Effective&(1<<unix.CAP_NET_ADMIN) != 0
}

func setting(name string) int {
	b, _ := os.ReadFile("/proc/sys/" + name)
	n, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return n
}
