package daemon

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/cvlan/cvlan/daemon/state"
	"github.com/cvlan/cvlan/internal/sys/osnet"
	"github.com/cvlan/cvlan/proto/control"
)

// on and off are the values of settings that are switches.
const (
	on  = "on"
	off = "off"
)

// The settings of networks behind nodes.
var (
	acceptRoutes = ofNetwork{about: about{key: "accept-routes", what: "use networks behind other machines, as far as policy lets this one", values: []string{on, off}}, standard: always(on),
		read:  func(m *state.Meta) string { return m.AcceptRoutes },
		write: func(m *state.Meta, v string) error { m.AcceptRoutes = v; return nil },
		apply: amend}
	offeredRoutes = ofNetwork{about: about{key: "routes", what: "networks behind this machine that others may reach through it, once approved", form: "prefixes, separated by commas; exit for the internet"}, standard: always("none"),
		read:  func(m *state.Meta) string { return joined(m.Routes) },
		write: writeRoutes,
		apply: amend}
	snat = ofNetwork{about: about{key: "snat", what: "what others send to networks behind this machine leaves with its own address", values: []string{on, off}}, standard: always(on),
		read:  func(m *state.Meta) string { return m.SNAT },
		write: func(m *state.Meta, v string) error { m.SNAT = v; return nil },
		apply: amend}
)

func joined(all []netip.Prefix) string {
	var words []string
	exit := isExit(all)
	for _, p := range all {
		if !exit || p.Bits() > 0 {
			words = append(words, p.String())
		}
	}
	if exit {
		words = append(words, exitWord)
	}
	return strings.Join(words, ",")
}

func writeRoutes(m *state.Meta, v string) error {
	if m.Routes = nil; v == "" || v == "none" {
		return nil
	}
	if !osnet.Forwards {
		return osnet.ErrNoForwarding
	}
	var all []netip.Prefix
	for word := range strings.SplitSeq(v, ",") {
		if word = strings.TrimSpace(word); word == exitWord {
			all = append(all, everything...)
			continue
		}
		p, err := parseRoute(word)
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	slices.SortFunc(all, control.CompareRoutes)
	all = slices.Compact(all)
	if len(all) > control.MaxRoutes {
		return fmt.Errorf("%d prefixes; at most %d", len(all), control.MaxRoutes)
	}
	if isExit(all) && m.ExitNode != "" {
		return errExitOfExit
	}
	m.Routes = all
	return nil
}

// parseRoute reads a prefix, or an address, which is a prefix of one.
func parseRoute(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fmt.Errorf("%s is not a prefix; write it as 10.20.0.0/16", shown(s))
	}
	if p.Bits() == 0 {
		return p, errors.New("a machine that leads to the whole internet is an exit; offer that: sudo cvlan exit offer")
	}
	return p, control.CheckRoute(p)
}
