package version

import (
	"crypto/fips140"
	"testing"
)

// Who asks an installed program whether it is in FIPS mode is told by which version of the module, and others are not told of it.
func TestTheModuleIsNamedInFIPSMode(t *testing.T) {
	if i := Get(); (i.FIPS != "") != fips140.Enabled() {
		t.Errorf("%+v", i)
	}
	if got := (Info{Version: "1.2.3"}).Title(); got != "1.2.3" {
		t.Error(got)
	}
	if got, want := (Info{Version: "1.2.3", FIPS: "v1.0.0"}).Title(), "1.2.3 (Go Cryptographic Module v1.0.0 in FIPS mode)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
