package daemon

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/sys/disk"
	"github.com/cvlan/cvlan/proto/control/pb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func code(err error) local.Code {
	var e *local.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func (m *machine) up(c *local.Client, r local.UpRequest) local.Network {
	m.Helper()
	n, err := c.Up(m.Context(), r)
	if err != nil || len(n.Networks) != 1 {
		m.Fatalf("up: %+v %v", n, err)
	}
	return n.Networks[0]
}

func TestJoinUpDownForget(t *testing.T) {
	office := newController(t, "office", "10.9.0.0/24")
	m := newMachine(t, office)
	c := m.start()
	if _, err := c.Up(t.Context(), local.UpRequest{}); code(err) != local.CodeNeedsJoin {
		t.Fatalf("up without a membership: %v", err)
	}
	joinKey := office.key(1)
	m.up(c, local.UpRequest{JoinKey: joinKey, Hostname: "Box.example"})
	n := m.untilState(c, local.Up)
	if n.Name != "office" || n.Self.Name != "box" || n.Self.Addresses[0].String() != "10.9.0.1" || n.Interface != "cvlan0" || len(n.Peers) != 1 || n.Peers[0].Path != "direct" || !n.Controller.Connected {
		t.Fatalf("%+v", n)
	}
	if _, ok := m.host.Config("cvlan0"); !ok {
		t.Fatal("the interface was not set up")
	}
	m.up(c, local.UpRequest{JoinKey: joinKey}) // the same command again changes nothing
	if office.joins != 1 {
		t.Fatalf("%d joins", office.joins)
	}
	if n, err := c.Down(t.Context(), local.DownRequest{Network: "office"}); err != nil || n.Networks[0].State != local.Down || n.Networks[0].Name != "office" {
		t.Fatalf("%+v %v", n, err)
	}
	if _, ok := m.host.Config("cvlan0"); ok {
		t.Fatal("the interface is still set up")
	}
	m.up(c, local.UpRequest{Network: "office.acme"})
	m.untilState(c, local.Up)
	if _, err := c.Logout(t.Context(), local.LogoutRequest{Network: n.ID}); err != nil {
		t.Fatal(err)
	}
	if s, err := c.Status(t.Context()); err != nil || len(s.Networks) != 0 {
		t.Fatalf("%+v %v", s, err)
	}
	_ = filepath.WalkDir(m.cfg.State, func(p string, e fs.DirEntry, _ error) error {
		if e.Name() == "identity.pem" || e.Name() == "wg.key" {
			t.Errorf("%s is left", p)
		}
		return nil
	})
}

func TestWhatIsUpComesBackAfterARestartWithoutTheController(t *testing.T) {
	office := newController(t, "office", "10.9.0.0/24")
	m := newMachine(t, office)
	c := m.start()
	m.up(c, local.UpRequest{JoinKey: office.key(1)})
	before := m.untilState(c, local.Up)
	m.stop()
	if _, ok := m.host.Config("cvlan0"); ok {
		t.Fatal("a stopped daemon leaves its interface")
	}
	office.set(func() { office.away = true })
	c = m.start()
	s := m.until(c, "offline, with the reason", func(s local.Status) bool {
		return len(s.Networks) == 1 && s.Networks[0].State == local.Offline && s.Networks[0].Problem != nil
	})
	n := s.Networks[0]
	if n.Self.Key != before.Self.Key || n.Port != before.Port || n.Interface != before.Interface || len(n.Peers) != 1 {
		t.Fatalf("before %+v\nafter %+v", before, n)
	}
	if _, err := c.Down(t.Context(), local.DownRequest{}); err != nil {
		t.Fatal(err)
	}
	m.stop()
	c = m.start()
	if n := m.untilState(c, local.Down); n.Name != "office" || n.Self.Addresses == nil {
		t.Fatalf("what is switched off: %+v", n)
	}
}

func TestRefusedJoinSaysWhyAndLeavesNothing(t *testing.T) {
	office := newController(t, "office", "10.9.0.0/24")
	office.refuse = &pb.Refused{Reason: pb.RefusedReason_REFUSED_REASON_EXPIRED, Message: "the join key has expired", Hint: "ask for a new one"}
	m := newMachine(t, office)
	c := m.start()
	_, err := c.Up(t.Context(), local.UpRequest{JoinKey: office.key(1)})
	var e *local.Error
	if !errors.As(err, &e) || e.Code != local.CodeRefused || e.Hint != "ask for a new one" {
		t.Fatalf("%+v", err)
	}
	if s, _ := c.Status(t.Context()); len(s.Networks) != 0 {
		t.Fatalf("%+v", s)
	}
	good := office.key(1)
	for _, bad := range []string{"", good[:len(good)-5], strings.Replace(good, "join", "admin", 1), "hello"} {
		if _, err := c.Up(t.Context(), local.UpRequest{JoinKey: bad + " "}); code(err) != local.CodeInvalid {
			t.Errorf("%.20q: %v", bad, err)
		} else if strings.Contains(err.Error(), good[20:]) {
			t.Errorf("the error quotes the key: %v", err)
		}
	}
}

func TestUnreachableControllerGivesOneClearLine(t *testing.T) {
	office := newController(t, "office", "10.9.0.0/24")
	m := newMachine(t, office)
	c := m.start()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	office.set(func() { office.away, office.missed = true, cancel })
	_, err := m.daemon.Up(ctx, local.UpRequest{JoinKey: office.key(1)})
	if code(err) != local.CodeUnreachable || !strings.Contains(err.Error(), "connection refused") {
		t.Fatalf("%v", err)
	}
	_ = c
}

// Who waits for less than the daemon would is told what has not answered while they still wait.
func TestJoinIsGivenUpInTheTimeOfWhoAsks(t *testing.T) {
	office := newController(t, "office", "10.9.0.0/24")
	c := newMachine(t, office).start()
	office.set(func() { office.away = true })
	_, err := c.Up(t.Context(), local.UpRequest{JoinKey: office.key(1), TimeoutMS: 50})
	if code(err) != local.CodeUnreachable || !strings.Contains(err.Error(), "the controller cannot be reached: connection refused") {
		t.Errorf("%v", err)
	}
	for _, ms := range []int{-1, int(local.MaxJoinTime.Milliseconds()) + 1} {
		if _, err := c.Up(t.Context(), local.UpRequest{JoinKey: office.key(1), TimeoutMS: ms}); code(err) != local.CodeInvalid {
			t.Errorf("%d ms: %v", ms, err)
		}
	}
}

func TestDaemonKilledInAJoinFinishesItWithTheSameNode(t *testing.T) {
	office := newController(t, "office", "10.9.0.0/24")
	m := newMachine(t, office)
	m.start()
	ctx, killed := context.WithCancel(t.Context())
	defer killed()
	office.set(func() { office.mute, office.muted = 1000, killed }) // admitted, but the answer is lost
	joinKey := office.key(1)
	if _, err := m.daemon.Up(ctx, local.UpRequest{JoinKey: joinKey}); err == nil {
		t.Fatal("joined without an answer")
	}
	m.stop()
	office.set(func() { office.mute = 0 })
	c := m.start()
	m.up(c, local.UpRequest{JoinKey: joinKey})
	m.untilState(c, local.Up)
	if len(office.nodes) != 1 || office.joins < 2 {
		t.Fatalf("%d nodes of %d joins", len(office.nodes), office.joins)
	}
}

// TestTwoNetworksOfOneName: two controllers know nothing of each other, and may call a network the same, and its tenant.
func TestTwoNetworksOfOneName(t *testing.T) {
	one, other := newController(t, "office", "10.9.0.0/24"), newController(t, "office", "10.10.0.0/24")
	other.address = "elsewhere:443"
	m := newMachine(t, one, other)
	c := m.start()
	m.up(c, local.UpRequest{JoinKey: one.key(1)})
	m.up(c, local.UpRequest{JoinKey: other.key(1)})
	s := m.until(c, "both up", func(s local.Status) bool {
		return len(s.Networks) == 2 && s.Networks[0].State == local.Up && s.Networks[1].State == local.Up
	})
	_, err := c.Down(t.Context(), local.DownRequest{Network: "office"})
	refused, ok := errors.AsType[*local.Error](err)
	if !ok || refused.Code != local.CodeAmbiguous {
		t.Fatal(err)
	}
	for _, n := range s.Networks {
		if !strings.Contains(refused.Hint, n.ID) || !strings.Contains(refused.Hint, n.Controller.Address) || n.Controller.Address == "" {
			t.Errorf("%q does not tell %s at %q", refused.Hint, n.ID, n.Controller.Address)
		}
		if done, err := c.Down(t.Context(), local.DownRequest{Network: n.ID}); err != nil || len(done.Networks) != 1 || done.Networks[0].ID != n.ID {
			t.Errorf("%+v, %v", done, err)
		}
	}
}

func TestTwoNetworksOfTwoControllersAtOnce(t *testing.T) {
	office, home := newController(t, "office", "10.9.0.0/24"), newController(t, "home", "10.10.0.0/24")
	m := newMachine(t, office, home)
	c := m.start()
	m.up(c, local.UpRequest{JoinKey: office.key(1)})
	m.up(c, local.UpRequest{JoinKey: home.key(1)})
	s := m.until(c, "both up", func(s local.Status) bool {
		return len(s.Networks) == 2 && s.Networks[0].State == local.Up && s.Networks[1].State == local.Up
	})
	if s.Networks[0].Self.Key == s.Networks[1].Self.Key || s.Networks[0].Interface == s.Networks[1].Interface {
		t.Fatalf("shared: %+v", s.Networks)
	}
	m.host.SetPing(func(_ context.Context, iface string, to netip.Addr, _ int) (time.Duration, error) {
		return time.Millisecond, nil
	})
	if _, err := c.Ping(t.Context(), local.PingRequest{Peer: "peer"}); code(err) != local.CodeAmbiguous {
		t.Fatalf("a name of two networks: %v", err)
	}
	for peer, want := range map[string]string{"peer.home": "home", "PEER.office.acme.cvlan.internal.": "office", "10.10.0.9": "home"} {
		if p, err := c.Ping(t.Context(), local.PingRequest{Peer: peer}); err != nil || p.Network != want || p.Peer != "peer" || p.Endpoint == nil {
			t.Errorf("%s: %+v %v", peer, p, err)
		}
	}
	if p, err := c.Ping(t.Context(), local.PingRequest{Peer: "peer", Network: "home"}); err != nil || p.Address.String() != "10.10.0.9" {
		t.Fatalf("%+v %v", p, err)
	}
	for peer, want := range map[string]local.Code{"nobody": local.CodeNotFound, "10.9.0.1": local.CodeInvalid} {
		if _, err := c.Ping(t.Context(), local.PingRequest{Peer: peer}); code(err) != want {
			t.Errorf("%s: %v", peer, err)
		}
	}
	if _, err := c.Logout(t.Context(), local.LogoutRequest{}); code(err) != local.CodeInvalid {
		t.Fatalf("forget what? %v", err)
	}
}

func TestOverlappingNetworkIsRefusedAndBothAreNamed(t *testing.T) {
	office, home := newController(t, "office", "10.9.0.0/24"), newController(t, "home", "10.9.0.0/24")
	m := newMachine(t, office, home)
	c := m.start()
	m.up(c, local.UpRequest{JoinKey: office.key(1)})
	m.untilState(c, local.Up)
	m.up(c, local.UpRequest{JoinKey: home.key(1)})
	s := m.until(c, "refused", func(s local.Status) bool {
		return len(s.Networks) == 2 && (s.Networks[0].State == local.Failed || s.Networks[1].State == local.Failed)
	})
	for _, n := range s.Networks {
		if n.State == local.Failed && (n.Name != "home" || !strings.Contains(n.Problem.What, "office") || n.Problem.Hint == "") {
			t.Fatalf("%+v %+v", n, n.Problem)
		}
	}
}

func TestRemovedNodeJoinsAnewWithoutForgetting(t *testing.T) {
	office := newController(t, "office", "10.9.0.0/24")
	m := newMachine(t, office)
	c := m.start()
	m.up(c, local.UpRequest{JoinKey: office.key(1)})
	first := m.untilState(c, local.Up)
	if _, err := c.Up(t.Context(), local.UpRequest{JoinKey: office.key(2)}); code(err) != local.CodeConflict {
		t.Fatalf("a second join of a network that works: %v", err)
	}
	m.stop()
	office.set(func() { office.expel = true })
	c = m.start()
	if n := m.untilState(c, local.NeedsLogin); n.Problem == nil || n.Interface != "" {
		t.Fatalf("%+v", n)
	}
	office.set(func() { office.expel = false })
	m.up(c, local.UpRequest{JoinKey: office.key(3)})
	if n := m.untilState(c, local.Up); n.Self.ID == first.Self.ID || n.Self.Key == first.Self.Key {
		t.Fatalf("the removed identity lives on: %+v", n.Self)
	}
}

func TestASecondKeyOfTheSameNetworkIsNotUsed(t *testing.T) {
	office, home := newController(t, "office", "10.9.0.0/24"), newController(t, "home", "10.10.0.0/24")
	office.single, home.single = true, true
	m := newMachine(t, office, home)
	c := m.start()
	m.up(c, local.UpRequest{JoinKey: office.key(1)})
	first := m.untilState(c, local.Up)
	if _, err := c.Down(t.Context(), local.DownRequest{}); err != nil {
		t.Fatal(err)
	}
	n, err := c.Up(t.Context(), local.UpRequest{JoinKey: office.key(2)})
	if err != nil || !n.Unused || len(n.Networks) != 1 || n.Networks[0].ID != first.ID {
		t.Fatalf("%+v %v", n, err)
	}
	if n := m.untilState(c, local.Up); n.Self.ID != first.Self.ID || n.Self.Key != first.Self.Key {
		t.Errorf("%+v is another node than %+v", n.Self, first.Self)
	}
	if left, err := os.ReadDir(filepath.Join(m.cfg.State, "joining")); err != nil || len(left) > 0 {
		t.Errorf("keys are left that nobody was given anything for: %v %v", left, err)
	}
	m.up(c, local.UpRequest{JoinKey: home.key(1)}) // another controller is told nothing of it
	m.until(c, "in both", func(s local.Status) bool { return len(s.Networks) == 2 })
}

func TestSecondDaemonIsRefusedWithALine(t *testing.T) {
	m := newMachine(t)
	m.start()
	if _, err := New(m.cfg); !errors.Is(err, disk.ErrLocked) {
		t.Fatalf("%v", err)
	}
	other := m.cfg
	other.State = filepath.Join(m.folder, "other")
	if _, err := New(other); err == nil || !strings.Contains(err.Error(), "another daemon answers") {
		t.Fatalf("same socket: %v", err)
	}
}

func TestDamagedMembershipIsShownAndTheOthersWork(t *testing.T) {
	office, home := newController(t, "office", "10.9.0.0/24"), newController(t, "home", "10.10.0.0/24")
	m := newMachine(t, office, home)
	c := m.start()
	m.up(c, local.UpRequest{JoinKey: office.key(1)})
	m.up(c, local.UpRequest{JoinKey: home.key(1)})
	m.until(c, "both up", func(s local.Status) bool { return s.Networks[0].State == local.Up && s.Networks[1].State == local.Up })
	m.stop()
	if err := os.Truncate(filepath.Join(m.cfg.State, "networks", office.id.String(), "identity.pem"), 20); err != nil {
		t.Fatal(err)
	}
	c = m.start()
	s := m.until(c, "home up", func(s local.Status) bool {
		return len(s.Networks) == 2 && (s.Networks[0].State == local.Up || s.Networks[1].State == local.Up)
	})
	for _, n := range s.Networks {
		if n.ID == office.id.String() && (n.State != local.Failed || !strings.Contains(n.Problem.What, "identity.pem")) {
			t.Fatalf("%+v %+v", n, n.Problem)
		}
	}
	if _, err := c.Logout(t.Context(), local.LogoutRequest{Network: office.id.String()}); err != nil {
		t.Fatal(err)
	}
}
