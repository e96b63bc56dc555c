package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"strings"

	"github.com/cvlan/cvlan/daemon/state"
	"github.com/cvlan/cvlan/internal/base/words"
	"github.com/cvlan/cvlan/internal/core/netmap"
	"github.com/cvlan/cvlan/internal/node/engine"
	"github.com/cvlan/cvlan/internal/node/ipsec"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/internal/sys/tun"
	"github.com/cvlan/cvlan/proto/control"
)

// about says what a setting is, for people and for completion.
type about struct {
	key    string
	what   string
	values []string // all that there are, the default first
	form   string   // how a value is written, where there are too many to list
}

// ofNetwork is a setting that each membership has of its own. To add one: a field in state.Meta and a row in networkSettings.
type ofNetwork struct {
	about
	// standard is what it is when nobody has set it.
	standard func(*Config) string
	// read returns what was set; "": nothing. write checks a value and puts it in place; "" takes it back. It sees no default by name.
	read  func(*state.Meta) string
	write func(*state.Meta, string) error
	// bars says why a daemon that was started so cannot have a value; nil: it can have each.
	bars func(*Config, string) error
	// inUse is what has come of it in a membership that is up; nil: the value says all.
	inUse func(*engine.Status) string
	// instead is what decides in place of a value, and for whom; "": nothing does, or it decides the same.
	instead func(s *engine.Status, value string) string
	// apply brings a new value to a membership that is up; nil: it starts anew, which interrupts it for a moment.
	apply func(*member, *engine.Engine)
}

// ofMachine is a setting that the daemon has once. To add one: a field in state.Preferences and a row in machineSettings.
type ofMachine struct {
	about
	standard func(*Config) string
	read     func(*state.Preferences) string
	write    func(*state.Preferences, string) error
	apply    func(*Daemon)
}

// ofFlag is what only the daemon's command line, environment or file sets. It is shown because people look for it here.
type ofFlag struct {
	about
	value func(*Config) string
}

// auto is the default of what chooses itself.
const auto = "auto"

func always(s string) func(*Config) string { return func(*Config) string { return s } }

// networkSettings are in the order in which people see them.
var networkSettings = []ofNetwork{
	acceptRoutes,
	dnsSetting,
	exitLAN,
	exitNode,
	{about: about{key: "interface", what: "name of the network interface", form: interfaceForm()}, standard: always(auto),
		read:  func(m *state.Meta) string { return m.Interface },
		write: writeInterface,
		inUse: func(s *engine.Status) string { return s.Interface }},
	{about: about{key: "ipsec-backend", what: "who seals and opens the packets of IPsec", values: []string{"userspace", kernelBackend}}, standard: always("userspace"),
		read:  func(m *state.Meta) string { return m.Backend },
		write: writeBackend,
		inUse: backendInUse,
		apply: amend},
	{about: about{key: "mtu", what: "bytes of the largest packet in the network", form: fmt.Sprintf("%d to %d", tun.MinMTU, maxMTU)},
		standard: func(c *Config) string { return strconv.Itoa(mtuOf(c)) },
		read:     func(m *state.Meta) string { return number(m.MTU) },
		write:    writeMTU,
		apply:    amend},
	{about: about{key: "port", what: "UDP port of the tunnel", form: "1 to 65535"}, standard: always(auto),
		read:  func(m *state.Meta) string { return number(int(m.Port)) },
		write: writePort,
		inUse: func(s *engine.Status) string { return number(int(s.Port)) },
		apply: amend},
	{about: about{key: "protocol", what: "tunnel protocol that this machine would rather speak", values: []string{auto, "wireguard", "ipsec"}}, standard: always(auto),
		read:    func(m *state.Meta) string { return m.Protocol },
		write:   func(m *state.Meta, v string) error { m.Protocol = v; return nil },
		bars:    barProtocol,
		instead: insteadOfProtocol,
		apply:   func(m *member, e *engine.Engine) { e.Prefer(m.prefers()) }},
	offeredRoutes,
	snat,
	{about: about{key: "transport", what: "how to talk to the controller", values: []string{auto, "quic", "tcp"}}, standard: always(auto),
		read:  func(m *state.Meta) string { return string(m.Transport) },
		write: func(m *state.Meta, v string) error { m.Transport = stream.Transport(v); return nil },
		apply: amend},
}

// amend brings what was set to a membership whose tunnel goes on.
func amend(m *member, e *engine.Engine) { e.Amend(m.amendable(m.state.Meta())) }

// amendable are the settings that may change while a membership is up.
func (m *member) amendable(meta state.Meta) engine.Settings {
	return engine.Settings{MTU: cmp.Or(meta.MTU, m.d.cfg.MTU), Port: meta.Port, Kernel: meta.Backend == kernelBackend, Transport: meta.Transport,
		Offers: meta.Routes, NoRoutes: meta.AcceptRoutes == off, NoMasquerade: meta.SNAT == off, Exit: meta.ExitNode, ExitLAN: meta.ExitLAN == on}
}

var machineSettings = []ofMachine{
	{about: about{key: "log-level", what: "how much the daemon writes to its log", values: []string{"debug", "info", "warn", "error"}},
		standard: func(c *Config) string { return c.logStandard },
		read:     func(p *state.Preferences) string { return p.LogLevel },
		write:    func(p *state.Preferences, v string) error { p.LogLevel = v; return nil },
		apply:    (*Daemon).applyLogLevel},
}

var flagSettings = []ofFlag{
	{about{key: "data-memory", what: "memory that packets of all networks together may take"}, func(c *Config) string { return words.Bytes(uint64(cmp.Or(c.DataMemory, tunnel.DefaultMemory))) }},
	{about{key: "fips", what: "speak IPsec alone, by the Go Cryptographic Module in its FIPS mode", values: []string{off, on}}, func(c *Config) string {
		if c.FIPS {
			return on
		}
		return off
	}},
	{about{key: "local-read", what: "who may read this machine's state", values: []string{"all", "group"}}, func(c *Config) string {
		if c.ReadGroup {
			return "group"
		}
		return "all"
	}},
	{about{key: "operators", what: "group whose members may operate the daemon"}, func(c *Config) string { return c.Group }},
	{about{key: "socket", what: "where the daemon listens"}, func(c *Config) string { return c.Socket }},
	{about{key: "state", what: "folder of keys and memberships"}, func(c *Config) string { return c.State }},
	{about{key: "workers", what: "pairs of goroutines that carry a network's packets"}, func(c *Config) string { return number(max(c.Workers, DefaultWorkers)) }},
}

// kernelBackend is the value of ipsec-backend that has the kernel carry what it can.
const kernelBackend = "kernel"

// writeBackend refuses what this system cannot.
func writeBackend(m *state.Meta, v string) error {
	m.Backend = v
	if v == kernelBackend {
		return ipsec.ProbeKernel()
	}
	return nil
}

// barProtocol refuses a wish that FIPS mode could not fulfil.
func barProtocol(c *Config, v string) error {
	if c.FIPS && v == "wireguard" {
		return errors.New("cvland is in FIPS mode, where there is no WireGuard; who needs that starts it without --fips")
	}
	return nil
}

func insteadOfProtocol(s *engine.Status, wish string) string {
	var all []netmap.Choice
	for _, p := range s.Peers {
		if c, ok := s.Choice(p.Record.Node); ok {
			all = append(all, c)
		}
	}
	return overruled(all, wish)
}

// overruled says with how many peers something stronger than this machine's wish decides what is spoken.
func overruled(choices []netmap.Choice, wish string) string {
	peers := map[netmap.Choice]int{}
	for _, c := range choices {
		if c.By.String() != wish {
			peers[netmap.Choice{By: c.By, Why: c.Why}]++
		}
	}
	var all []string
	if n := peers[netmap.Choice{By: control.IPsec, Why: netmap.ByPolicy}]; n > 0 {
		all = append(all, "policy requires ipsec with "+words.Count(n, "peer"))
	}
	for _, by := range []control.Tunnels{control.WireGuard, control.IPsec} {
		if n := peers[netmap.Choice{By: by, Why: netmap.ByNetwork}]; n > 0 {
			all = append(all, fmt.Sprintf("the network says %s with %s", by, words.Count(n, "peer")))
		}
	}
	return strings.Join(all, "; ")
}

func backendInUse(s *engine.Status) string {
	if s.Kernel {
		return kernelBackend
	}
	return "userspace"
}

// maxMTU is what links with jumbo frames carry, in bytes.
const maxMTU = 9000

func mtuOf(c *Config) int {
	if c.MTU == 0 {
		return tun.DefaultMTU
	}
	return c.MTU
}

// number writes a number of which 0 means that there is none.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func writeMTU(m *state.Meta, v string) error {
	if m.MTU = 0; v == "" {
		return nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < tun.MinMTU || n > maxMTU {
		return fmt.Errorf("use %d to %d", tun.MinMTU, maxMTU)
	}
	m.MTU = n
	return nil
}

// writePort forgets what was in use when a wish is taken back: it would be taken up again as that of last time.
func writePort(m *state.Meta, v string) error {
	if v == "" && m.Port != 0 {
		m.Last.Port = 0
	}
	if m.Port = 0; v == "" {
		return nil
	}
	n, err := strconv.ParseUint(v, 10, 16)
	if err != nil || n == 0 {
		return errors.New("use 1 to 65535")
	}
	m.Port = uint16(n)
	return nil
}

// interfaceLen is what Linux allows the name of an interface to have (IFNAMSIZ, with its end), in bytes.
const interfaceLen = 15

func interfaceForm() string {
	if runtime.GOOS == "darwin" {
		return "utun and a number"
	}
	return fmt.Sprintf("1 to %d letters, digits, hyphens, dots and underscores", interfaceLen)
}

// writeInterface forgets as writePort does.
func writeInterface(m *state.Meta, v string) error {
	if v == "" && m.Interface != "" {
		m.Last.Interface = ""
	}
	m.Interface = v
	return checkInterface(v)
}

func checkInterface(name string) error {
	if name == "" {
		return nil
	}
	ok := len(name) <= interfaceLen && name != "." && name != ".."
	for _, r := range name {
		ok = ok && (r == '-' || r == '.' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	}
	if runtime.GOOS == "darwin" {
		_, err := strconv.ParseUint(strings.TrimPrefix(name, "utun"), 10, 16)
		ok = ok && err == nil && strings.HasPrefix(name, "utun")
	}
	if !ok {
		return errors.New("use " + interfaceForm())
	}
	return nil
}

// applyLogLevel makes the log say as much as was set, or else what the daemon was started with.
func (d *Daemon) applyLogLevel() {
	if d.cfg.Level == nil {
		return
	}
	level := d.preferences.LogLevel
	if level == "" {
		level = d.cfg.logStandard
	}
	var l slog.Level
	if l.UnmarshalText([]byte(level)) == nil {
		d.cfg.Level.Set(l)
	}
}
