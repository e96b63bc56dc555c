package doctor

import (
	"os"
	"os/exec"
	"slices"
	"testing"
)

// TestRulesOfOtherVPNsAreKnown adds the rules that others add, in a network namespace of its own, and has ip tell of them.
func TestRulesOfOtherVPNsAreKnown(t *testing.T) {
	if _, err := exec.LookPath("ip"); err != nil || os.Geteuid() != 0 {
		t.Skip("needs root and ip")
	}
	if err := exec.Command("unshare", "--net", "ip", "-json", "rule", "show").Run(); err != nil {
		t.Skipf("no network namespace with rules here: %v", err)
	}
	for rules, want := range map[string][]rival{
		"": nil,
		"ip rule add pref 5210 fwmark 0x80000/0xff0000 table main; ip rule add pref 5250 fwmark 0x80000/0xff0000 type unreachable; ip rule add pref 5270 table 52": {tailscale},
		"ip rule add not fwmark 51820 table 51820; ip rule add table main suppress_prefixlength 0":                                                                 {wireguard},
		"ip rule add pref 105 table main suppress_prefixlength 0; ip rule add pref 110 not fwmark 0x1bd00 table 7120":                                              {netbird},
		"ip rule add pref 5209 not fwmark 0x6d6f6c65 table 1836018789; ip rule add pref 5270 table 52":                                                             {mullvad, tailscale},
		"ip rule add pref 5157 not fwmark 0xc0/0xff table 15700 protocol 157; ip rule add pref 1000 from 192.0.2.1 table 7":                                        nil,
	} {
		out, err := exec.Command("unshare", "--net", "sh", "-ec", rules+"\nip -json rule show").Output()
		if err != nil {
			t.Fatalf("%s: %v", rules, err)
		}
		h := HostFacts{Rules: readRules(out)}
		if got, _ := h.rivals(); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v; rules %+v", rules, got, want, h.Rules)
		}
	}
}
