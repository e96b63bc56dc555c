package doctor

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/api/local"
)

// TestAFirewallThatDropsWhatARouterPassesOn asks nftables itself, in a network namespace of its own, before and after the hint is followed.
func TestAFirewallThatDropsWhatARouterPassesOn(t *testing.T) {
	if _, err := exec.LookPath("nft"); err != nil || os.Geteuid() != 0 {
		t.Skip("needs root and nft")
	}
	if err := exec.Command("unshare", "--net", "nft", "list", "ruleset").Run(); err != nil {
		t.Skipf("no network namespace with nftables here: %v", err)
	}
	for name, c := range map[string]struct{ rules, hint string }{
		"as Docker sets it": {"add table ip filter; add chain ip filter DOCKER-USER; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }; add rule ip filter FORWARD iifname docker0 accept",
			"sudo iptables -I DOCKER-USER -i cvlan0 -j ACCEPT; sudo iptables -I DOCKER-USER -o cvlan0 -j ACCEPT"},
		"in a table of its own": {"add table inet guard; add chain inet guard forward { type filter hook forward priority 0; policy drop; }",
			"sudo nft insert rule inet guard forward iifname cvlan0 accept; sudo nft insert rule inet guard forward oifname cvlan0 accept"},
	} {
		t.Run(name, func(t *testing.T) {
			opened := strings.NewReplacer("sudo iptables -I DOCKER-USER -i cvlan0 -j ACCEPT", "nft insert rule ip filter DOCKER-USER iifname cvlan0 accept",
				"sudo iptables -I DOCKER-USER -o cvlan0 -j ACCEPT", "nft insert rule ip filter DOCKER-USER oifname cvlan0 accept", "sudo ", "").Replace(c.hint)
			for lines, want := range map[string]string{c.rules: c.hint, c.rules + "\n" + opened: ""} {
				rules, more, _ := strings.Cut(lines, "\n")
				script := "nft '" + rules + "' && { " + either(more, ":") + "; } && nft --json list ruleset"
				out, err := exec.CommandContext(context.Background(), "unshare", "--net", "sh", "-c", script).Output()
				if err != nil {
					t.Fatalf("%s: %v", script, err)
				}
				f := well()
				f.Status.Networks[0].Offers = []local.Offer{{Prefix: netip.MustParsePrefix("10.20.0.0/16"), Approved: true}}
				f.Host.Forward = chains(out, map[string]int{"cvlan0": 1380, "docker0": 1500})
				hint := ""
				for _, x := range Judge(f).Findings {
					if x.Code == "forward-dropped" {
						hint, _, _ = strings.Cut(x.Hint, "\n")
					}
				}
				if hint != want {
					t.Errorf("after %q: hint %q, want %q", lines, hint, want)
				}
			}
		})
	}
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
