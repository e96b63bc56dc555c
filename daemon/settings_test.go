package daemon

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/core/netmap"
	"github.com/cvlan/cvlan/proto/control"
)

// setting returns one as the daemon shows it.
func (m *machine) setting(c *local.Client, key string) local.Setting {
	m.Helper()
	all, err := c.Settings(m.Context())
	if err != nil {
		m.Fatal(err)
	}
	for _, s := range all.Settings {
		if s.Key == key {
			return s
		}
	}
	m.Fatalf("there is no setting %s in %+v", key, all)
	return local.Setting{}
}

func (m *machine) set(c *local.Client, values map[string]string) error {
	_, err := c.Set(m.Context(), local.SetRequest{Values: values})
	return err
}

func TestASettingIsAppliedAtOnceKeptAndNeverResetByUp(t *testing.T) {
	office := newController(t, "office", "10.9.0.0/24")
	m := newMachine(t, office)
	c := m.start()
	join := office.key(1)
	m.up(c, local.UpRequest{JoinKey: join})
	m.untilState(c, local.Up)
	if s := m.setting(c, "port"); s.Value != "auto" || s.Set || s.InUse != "41641" || s.Network != "office" {
		t.Fatalf("%+v", s)
	}
	if err := m.set(c, map[string]string{"port": "5000", "mtu": "1400", "interface": "office0"}); err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		n := m.untilState(c, local.Up)
		if n.Port != 5000 || n.Interface != "office0" || n.MTU != 1400 {
			t.Errorf("%s: port %d, interface %s, MTU %d", when, n.Port, n.Interface, n.MTU)
		}
		if s := m.setting(c, "port"); s.Value != "5000" || !s.Set || s.InUse != "" {
			t.Errorf("%s: %+v", when, s)
		}
	}
	check("at once")
	m.up(c, local.UpRequest{})
	check("after up")
	m.up(c, local.UpRequest{JoinKey: join})
	check("after up with the join key again")
	if _, err := c.Down(t.Context(), local.DownRequest{}); err != nil {
		t.Fatal(err)
	}
	m.up(c, local.UpRequest{Network: "office"})
	check("after down and up")
	m.stop()
	c = m.start()
	check("after a restart of the daemon")
	if err := m.set(c, map[string]string{"port": "auto", "mtu": "default", "interface": "default"}); err != nil {
		t.Fatal(err)
	}
	if s := m.setting(c, "mtu"); s.Set || s.Value != "1380" {
		t.Errorf("%+v", s)
	}
	if n := m.untilState(c, local.Up); n.Port == 5000 || n.Interface == "office0" || n.MTU != 1380 {
		t.Errorf("after all was taken back: port %d, interface %s, MTU %d", n.Port, n.Interface, n.MTU)
	}
}

func TestWhatIsSoAlreadyDisturbsNothing(t *testing.T) {
	office := newController(t, "office", "10.9.0.0/24")
	m := newMachine(t, office)
	c := m.start()
	m.up(c, local.UpRequest{JoinKey: office.key(1)})
	e, _ := m.daemon.all()[0].alive()
	if err := m.set(c, map[string]string{"port": "auto", "transport": "auto", "protocol": "ipsec"}); err != nil {
		t.Fatal(err)
	}
	if now, _ := m.daemon.all()[0].alive(); now != e {
		t.Error("the network started anew")
	}
	if s := m.setting(c, "protocol"); s.Value != "ipsec" || s.Restart {
		t.Errorf("%+v", s)
	}
}

// A wish for a protocol that something stronger overrules is kept, and told as what it is worth.
func TestWhatOverrulesAProtocolIsTold(t *testing.T) {
	required := netmap.Choice{By: control.IPsec, Why: netmap.ByPolicy, Only: true}
	network := netmap.Choice{By: control.WireGuard, Why: netmap.ByNetwork}
	wished := netmap.Choice{By: control.IPsec, Why: netmap.ByPreference}
	for _, c := range []struct {
		wish, want string
		choices    []netmap.Choice
	}{
		{"wireguard", "", nil},
		{"wireguard", "", []netmap.Choice{{By: control.WireGuard}, wished, network}},
		{"wireguard", "policy requires ipsec with 1 peer", []netmap.Choice{required, network}},
		{"ipsec", "the network says wireguard with 2 peers", []netmap.Choice{required, network, network}},
		{"auto", "policy requires ipsec with 2 peers; the network says wireguard with 1 peer", []netmap.Choice{required, required, network, wished}},
	} {
		if got := overruled(c.choices, c.wish); got != c.want {
			t.Errorf("%s: %q, want %q", c.wish, got, c.want)
		}
	}
}

func TestARequestWithAFaultChangesNothing(t *testing.T) {
	office := newController(t, "office", "10.9.0.0/24")
	m := newMachine(t, office)
	c := m.start()
	if err := m.set(c, map[string]string{"port": "5000"}); code(err) != local.CodeNeedsJoin {
		t.Errorf("in no network: %v", err)
	}
	m.up(c, local.UpRequest{JoinKey: office.key(1)})
	for _, f := range []struct {
		values map[string]string
		code   local.Code
		says   string
	}{
		{map[string]string{"prot": "1"}, local.CodeNotFound, "did you mean port?"},
		{map[string]string{"\x1b[31m": "1"}, local.CodeNotFound, "there is no such setting"},
		{map[string]string{"port": "70000"}, local.CodeInvalid, "use 1 to 65535"},
		{map[string]string{"port": ""}, local.CodeInvalid, "the value is empty"},
		{map[string]string{"protocol": "ipsek"}, local.CodeInvalid, "did you mean ipsec?"},
		{map[string]string{"interface": "../../etc"}, local.CodeInvalid, "use 1 to 15"},
		{map[string]string{"workers": "4"}, local.CodeInvalid, "start cvland with --workers"},
		{map[string]string{"port": "5000", "mtu": "12", "log-level": "loud"}, local.CodeInvalid, "no such value"},
		{map[string]string{"port": "x", "mtu": "12"}, local.CodeInvalid, "nothing was changed"},
		{nil, local.CodeInvalid, "nothing is named"},
	} {
		err := m.set(c, f.values)
		var e *local.Error
		if !errors.As(err, &e) || e.Code != f.code || !strings.Contains(e.Error()+e.Hint, f.says) || strings.Contains(e.Error()+e.Hint, "\x1b") {
			t.Errorf("%v: %+v", f.values, e)
		}
	}
	for _, key := range []string{"port", "mtu", "log-level"} {
		if s := m.setting(c, key); s.Set {
			t.Errorf("%+v", s)
		}
	}
}

func TestWithSeveralNetworksOneSaysWhoseSettings(t *testing.T) {
	office, plant := newController(t, "office", "10.9.0.0/24"), newController(t, "plant", "10.10.0.0/24")
	m := newMachine(t, office, plant)
	c := m.start()
	m.up(c, local.UpRequest{JoinKey: office.key(1)})
	m.up(c, local.UpRequest{JoinKey: plant.key(2)})
	m.until(c, "both up", func(s local.Status) bool {
		return s.Networks[0].State == local.Up && s.Networks[1].State == local.Up
	})
	if err := m.set(c, map[string]string{"port": "5000"}); code(err) != local.CodeAmbiguous {
		t.Errorf("%v", err)
	}
	done, err := c.Set(t.Context(), local.SetRequest{Network: "plant", Values: map[string]string{"port": "5000"}})
	if err != nil || len(done.Settings) != 1 || done.Settings[0].Network != "plant" || done.Settings[0].Value != "5000" {
		t.Errorf("%+v, %v", done, err)
	}
	if err := m.set(c, map[string]string{"log-level": "debug"}); err != nil {
		t.Errorf("the machine's own: %v", err)
	}
}

func TestTheLogLevelChangesWhileTheDaemonRunsAndStays(t *testing.T) {
	m := newMachine(t)
	m.cfg.Level = new(slog.LevelVar)
	m.cfg.Level.Set(slog.LevelWarn)
	c := m.start()
	if s := m.setting(c, "log-level"); s.Value != "warn" || s.Default != "warn" {
		t.Errorf("%+v", s)
	}
	if err := m.set(c, map[string]string{"log-level": "debug"}); err != nil || m.cfg.Level.Level() != slog.LevelDebug {
		t.Errorf("%v, %v", m.cfg.Level.Level(), err)
	}
	m.stop()
	m.cfg.Level.Set(slog.LevelWarn)
	c = m.start()
	if m.cfg.Level.Level() != slog.LevelDebug {
		t.Error("forgotten at the restart")
	}
	if err := m.set(c, map[string]string{"log-level": "default"}); err != nil || m.cfg.Level.Level() != slog.LevelWarn {
		t.Errorf("%v, %v", m.cfg.Level.Level(), err)
	}
	m.stop()
	if err := os.WriteFile(filepath.Join(m.cfg.State, "preferences.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := m.setting(m.start(), "log-level"); s.Value != "debug" { // the copy before the last
		t.Errorf("half a file: %+v", s)
	}
}
