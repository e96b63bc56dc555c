package daemon

import (
	"errors"
	"slices"
	"testing"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/sys/osnet"
)

// held fails unless the host is to hold the door, or not.
func (m *machine) held(when string, want bool) {
	m.Helper()
	if x := m.host.Held(); (x != nil) != want {
		m.Errorf("%s: held %+v", when, x)
	}
}

func waiting(n local.Network) bool {
	return n.Exit != nil && n.Exit.State == local.ExitWaiting && slices.ContainsFunc(n.Warnings, func(p local.Problem) bool { return p.Code == "exit-waiting" && p.Hint != "" })
}

func TestTheDoorIsHeldAsLongAsAnExitIsWanted(t *testing.T) {
	if !osnet.Exits {
		t.Skip("no exits here")
	}
	office := newController(t, "office", "10.9.0.0/24")
	m := newMachine(t, office)
	began := make(chan *osnet.Exit, 2) // what each start began with
	m.cfg.Cleanup = func(hold *osnet.Exit) error {
		err := m.host.Hold(hold)
		began <- hold
		return err
	}
	c := m.start()
	m.up(c, local.UpRequest{JoinKey: office.key(1)})
	m.untilState(c, local.Up)
	m.held("without an exit", false)
	if err := m.set(c, map[string]string{"exit-node": "gate"}); err != nil {
		t.Fatal(err)
	}
	m.held("an exit", true)
	if err := m.set(c, map[string]string{"interface": "office0"}); err != nil { // the network starts anew
		t.Fatal(err)
	}
	m.held("the network anew", true)
	m.stop()
	m.held("a daemon that was stopped", false)

	office.set(func() { office.away = true })
	m.host.Fail("office0", errors.New("no such thing; see elsewhere"))
	c = m.start()
	if first, next := <-began, <-began; first != nil || next == nil {
		t.Errorf("the starts began with %v and %v", first, next)
	}
	m.held("the next start", true)
	if n := m.untilState(c, local.Failed); !waiting(n) {
		t.Errorf("a network that cannot come up: %+v %+v", n.Exit, n.Warnings)
	}
	if err := m.set(c, map[string]string{"exit-node": "none"}); err != nil {
		t.Fatal(err)
	}
	m.held("off, while it cannot come up", false)
	m.until(c, "without an exit", func(s local.Status) bool { return s.Networks[0].Exit == nil })
	if err := m.set(c, map[string]string{"exit-node": "gate", "exit-lan": "on"}); err != nil {
		t.Fatal(err)
	}
	if x := m.host.Held(); x == nil || !x.LAN {
		t.Errorf("with the LAN: %+v", x)
	}
	if _, err := c.Down(t.Context(), local.DownRequest{}); err != nil {
		t.Fatal(err)
	}
	m.held("down", false)
	m.up(c, local.UpRequest{})
	m.held("up", true)
	if _, err := c.Logout(t.Context(), local.LogoutRequest{Local: true}); err != nil {
		t.Fatal(err)
	}
	m.held("logged out", false)
}

// unwilling is a host that holds nothing.
type unwilling struct{ *osnet.Memory }

func (unwilling) Hold(want *osnet.Exit) error {
	if want == nil {
		return nil
	}
	return errors.New("no rules in this kernel")
}

func TestAHostThatHoldsNothingIsTold(t *testing.T) {
	if !osnet.Exits {
		t.Skip("no exits here")
	}
	office := newController(t, "office", "10.9.0.0/24")
	m := newMachine(t, office)
	m.cfg.Outside.Host = unwilling{m.host}
	c := m.start()
	m.up(c, local.UpRequest{JoinKey: office.key(1)})
	m.untilState(c, local.Up)
	m.host.Fail("cvlan1", errors.New("no such thing; see elsewhere"))
	if err := m.set(c, map[string]string{"exit-node": "gate", "interface": "cvlan1"}); err != nil {
		t.Fatal(err)
	}
	n := m.untilState(c, local.Failed)
	if n.Exit == nil || n.Exit.State != local.ExitFailed || !n.Exit.Open || !slices.ContainsFunc(n.Warnings, func(p local.Problem) bool { return p.Code == "exit-not-held" }) {
		t.Errorf("%+v %+v", n.Exit, n.Warnings)
	}
}
