package words

import (
	"strings"
	"testing"
)

func TestWhoMistypesIsToldWhatIsNear(t *testing.T) {
	names := []string{"interface", "mtu", "port", "protocol", "transport", "log-level"}
	for written, want := range map[string]string{
		"prot": "port", "protcol": "protocol", "loglevel": "log-level", "MTU": "mtu", "inter": "interface", "trasnport": "transport",
		"": "", "colour": "", "x": "", strings.Repeat("port", 100): "",
	} {
		if got := Near(written, names); got != want {
			t.Errorf("%.20q: %q, want %q", written, got, want)
		}
	}
}
