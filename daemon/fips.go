package daemon

import (
	"crypto/fips140"
	"errors"
)

// CheckFIPS reports why this process cannot be what Config.FIPS promises, or nil. The module's mode is fixed when the process starts, so there is
// nothing to switch.
//
// The strict mode (fips140=only) is refused as well: nodes tell each other about paths in messages that are sealed outside of the module
// (proto/disco), and those would fail one by one.
func CheckFIPS() error {
	switch {
	case !fips140.Enabled():
		return errors.New("fips: the Go Cryptographic Module is not in FIPS mode; use the programs of make build-fips, or set GODEBUG=fips140=on in the environment of cvland")
	case fips140.Enforced():
		return errors.New("fips: cvland does not run with GODEBUG=fips140=only; use fips140=on")
	}
	return nil
}
