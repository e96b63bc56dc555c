package tui

import (
	"slices"
	"testing"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/api/local"
)

func TestWhatIsWrongIsMendedOnceSomebodySaysYes(t *testing.T) {
	s := newStage(100, 40, false)
	s.spoil()
	s.hear()
	s.wants(t, "2 Health 1")
	s.press("2")
	s.wants(t, "MTU 900 instead of 1280", "f mends it: ip link set dev cvlan0 mtu 1280", "the networks have no relay", "2 Health 2")
	s.press("f")
	s.wants(t, "Run this as root?")
	s.press("n")
	if len(s.twin.turned) > 0 {
		t.Errorf("a no was a yes: %q", s.twin.turned)
	}
	s.press("f")
	s.twin.found = Diagnosis{}
	s.press("y")
	if want := []string{"ip link set dev cvlan0 mtu 1280"}; !slices.Equal(s.twin.turned, want) {
		t.Errorf("run: %q", s.twin.turned)
	}
	s.wants(t, "Done", "!MTU 900", "UDP does not leave this network")
	s.press("f")
	s.wants(t, "nothing here that could be mended")
}

func TestOnlyRootMends(t *testing.T) {
	s := newStage(100, 40, false)
	s.spoil()
	s.twin.refused = errRights
	s.hear()
	s.press("2", "f")
	s.wants(t, "Only root may do that", "!Run this")
}

func TestADaemonIsStartedFromHere(t *testing.T) {
	s := newStage(80, 24, false)
	s.stopped()
	s.hear()
	s.wants(t, "looking for the reason")
	s.pass(0)
	s.wants(t, "its service is inactive", "f mends it: systemctl start cvland", "f mend")
	s.press("f", "y")
	s.twin.err, s.twin.found = nil, Diagnosis{}
	s.pass(0)
	s.wants(t, "3 of 4 online", "!does not answer")
	s.press("2")
	s.wants(t, "!inactive")
}

func TestAnotherLoginLeavesNothingOfTheOneBefore(t *testing.T) {
	s := newStage(120, 30, true)
	s.staff()
	s.hear()
	s.press("7")
	s.wants(t, "login home, ctl.example.com:443", "db-1")
	s.press("L")
	s.wants(t, "work   vpn.example.org:443   tenant acme")
	s.press("down", "enter")
	s.wants(t, "the login file is damaged", "login home")
	s.other = &ruler{nodes: []admin.Node{{Name: "far-away"}}}
	late := returned{nodesTold{theirs{}, s.ruler.nodes, nil}, s.ruler}
	s.press("L", "down", "enter")
	s.wants(t, "Now as work", "login work, vpn.example.org:443, tenant acme", "far-away", "!db-1")
	s.send(late)
	s.wants(t, "far-away", "!db-1")
}

func TestADaemonThatIsNotUnderstoodIsNotCalledSilent(t *testing.T) {
	skew := local.CodeSkew.Problem("understand the daemon", "it speaks schema 99, this program knows 1", "upgrade this program; compare cvlan version")
	for _, c := range []struct {
		err  error
		want string
	}{{errDown, "does not answer"}, {skew, "is of another version"}, {local.CodeInternal.Problem("x", "y", "z"), "answers with an error"}} {
		s := newStage(100, 30, false)
		s.twin.err = c.err
		s.hear()
		s.wants(t, "The daemon cvland "+c.want)
		s.twin.err = nil
		s.hear()
		s.twin.err = c.err // it was upgraded meanwhile
		s.hear()
		s.wants(t, "✗ The daemon "+c.want+"; this is what it said just now")
		s.press("4")
		s.wants(t, "the daemon "+c.want)
	}
}
