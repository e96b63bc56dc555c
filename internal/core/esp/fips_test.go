package esp

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"testing"
)

// usable are the suites that the FIPS mode of this process allows.
func usable() []Suite {
	if fips140.Enforced() {
		return []Suite{AES256GCM, AES128GCM, AES192GCM, AES256CBC, AES128CBC}
	}
	return suites
}

// In strict FIPS mode AES works, with the nonces of IPsec too, and ChaCha20-Poly1305 is refused when keys are installed.
func TestStrictFIPSMode(t *testing.T) {
	if fips140.Enforced() {
		k, _ := keysFor(ChaCha20Poly1305, true)
		if _, err := newPair(k, noon, 0, new(activity)); err == nil {
			t.Error("ChaCha20-Poly1305 is taken")
		}
		return
	}
	again := exec.Command(os.Args[0], "-test.run", "StrictFIPS|Vectors|PacketsArrive|ChangedPackets|Allocations")
	again.Env = append(os.Environ(), "GODEBUG=fips140=only")
	if out, err := again.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}
