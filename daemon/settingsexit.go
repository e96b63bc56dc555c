package daemon

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/cvlan/cvlan/daemon/state"
	"github.com/cvlan/cvlan/internal/sys/osnet"
)

// The settings of a way to the internet through another machine.
var (
	exitNode = ofNetwork{about: about{key: "exit-node", what: "machine through which all that is for the internet leaves", form: "a machine's name, or none"}, standard: always(noExit),
		read:  func(m *state.Meta) string { return m.ExitNode },
		write: writeExitNode,
		apply: amend}
	exitLAN = ofNetwork{about: about{key: "exit-lan", what: "while an exit is in use, reach the local networks", values: []string{off, on}}, standard: always(off),
		read:  func(m *state.Meta) string { return m.ExitLAN },
		write: func(m *state.Meta, v string) error { m.ExitLAN = v; return nil },
		apply: amend}
)

// noExit is the value of exit-node when there is none.
const noExit = "none"

// exitWord stands for the whole internet among the networks that a machine offers.
const exitWord = "exit"

// everything is what it stands for.
var everything = []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}

func isExit(routes []netip.Prefix) bool {
	return slices.ContainsFunc(routes, func(p netip.Prefix) bool { return p.Bits() == 0 })
}

var errExitOfExit = errors.New("a machine that is an exit for others cannot use one itself; withdraw the one (sudo cvlan exit withdraw) or end the other (sudo cvlan exit off)")

func writeExitNode(m *state.Meta, v string) error {
	if m.ExitNode = v; v == "" || v == noExit {
		m.ExitNode = ""
		return nil
	}
	switch {
	case !osnet.Exits:
		return osnet.ErrNoExit
	case isExit(m.Routes):
		return errExitOfExit
	}
	return checkName(v)
}

// checkName refuses what no machine is called.
func checkName(s string) error {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return errors.New("use a machine's name, such as gate")
		}
	}
	if len(s) > 63 {
		return errors.New("use at most 63 letters, digits and hyphens")
	}
	return nil
}
