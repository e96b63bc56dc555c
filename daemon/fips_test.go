package daemon

import (
	"crypto/fips140"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/proto/control"
)

func TestFIPSIsIPsecAlone(t *testing.T) {
	c := Config{FIPS: true, Speaks: control.WireGuard, IKEProfile: crypt.Modern}
	c.fill()
	if c.Speaks != control.IPsec || c.IKEProfile != crypt.FIPS {
		t.Error(c.Speaks, c.IKEProfile)
	}
}

func TestFIPSAsksForTheModule(t *testing.T) {
	err := CheckFIPS()
	switch {
	case !fips140.Enabled() && (err == nil || !strings.Contains(err.Error(), "GODEBUG=fips140=on")):
		t.Error(err)
	case fips140.Enabled() && !fips140.Enforced() && err != nil:
		t.Error(err)
	}
}

// In FIPS mode nobody is told that WireGuard would be spoken, and the mode is found among the settings.
func TestFIPSRefusesAWishForWireGuard(t *testing.T) {
	office := newController(t, "office", "10.9.0.0/24")
	m := newMachine(t, office)
	m.cfg.FIPS = true
	c := m.start()
	m.up(c, local.UpRequest{JoinKey: office.key(1)})
	err := m.set(c, map[string]string{"protocol": "wireguard"})
	if code(err) != local.CodeInvalid || !strings.Contains(err.Error(), "FIPS mode") {
		t.Error(err)
	}
	if s := m.setting(c, "protocol"); s.Set {
		t.Errorf("%+v", s)
	}
	if err := m.set(c, map[string]string{"protocol": "ipsec"}); err != nil {
		t.Error(err)
	}
	if s := m.setting(c, "fips"); s.Value != "on" || s.Flag != "--fips" {
		t.Errorf("%+v", s)
	}
}
