package daemon

import (
	"crypto/fips140"
	"strings"
	"testing"

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
