package tui

import (
	"strings"
	"testing"
)

func TestServicesStandTogether(t *testing.T) {
	for list, want := range map[string]string{
		"":            "",
		"icmp icmpv6": "icmp icmpv6",
		"tcp:80 tcp:443 tcp:9100-9110 udp:80 udp:443 udp:9100-9110": "tcp+udp:80, 443, 9100-9110",
		"icmp tcp:22 udp:22 tcp:53":                                 "icmp tcp+udp:22 tcp:53",
		"every protocol":                                            "every protocol",
		"tcp:* udp:1-1023":                                          "tcp:* udp:1-1023",
	} {
		var services []string
		switch list {
		case "":
		case "every protocol":
			services = []string{list}
		default:
			services = strings.Fields(list)
		}
		if got := strings.Join(together(services), " "); got != want {
			t.Errorf("%s: %s, want %s", list, got, want)
		}
	}
}
