package tun

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
)

// holder describes what has an interface's name already: the kind of link, and the process if it is another's TUN device.
func holder(name string) string {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return "in use"
	}
	if l.Type() != "tuntap" {
		return fmt.Sprintf("an interface of kind %s", l.Type())
	}
	if who := process(name); who != "" {
		return "the TUN device of " + who
	}
	return "a TUN device that nobody uses"
}

// process finds who has a TUN device open: the kernel tells the interface's name in the descriptor's fdinfo.
func process(name string) string {
	infos, _ := filepath.Glob("/proc/[0-9]*/fdinfo/*")
	for _, info := range infos {
		folder := filepath.Dir(filepath.Dir(info))
		if to, err := os.Readlink(filepath.Join(folder, "fd", filepath.Base(info))); err != nil || to != clonePath {
			continue
		}
		if attachedTo(info) == name {
			comm, _ := os.ReadFile(filepath.Join(folder, "comm"))
			return fmt.Sprintf("process %s (%s)", filepath.Base(folder), strings.TrimSpace(string(comm)))
		}
	}
	return ""
}

// attachedTo reads the interface out of a TUN descriptor's fdinfo.
func attachedTo(fdinfo string) string {
	f, err := os.Open(fdinfo)
	if err != nil {
		return ""
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, ok := strings.CutPrefix(s.Text(), "iff:\t"); ok {
			return name
		}
	}
	return ""
}
