//go:build e2e && linux

package e2e

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/deploy"
)

func TestAKilledDaemonLeavesNothingBehind(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(2)
	c := w.controller(r.Controller)
	key := c.key("--uses", "2")
	untouched := w.network(r.Nodes[0])
	a, b := w.node(r.Nodes[0]), w.node(r.Nodes[1])
	a.join(key)
	b.join(key)
	a.reaches("n2", soon)
	if w.network(a.Host) == untouched {
		t.Fatal("a membership that is up shows nowhere in the host's network")
	}
	a.Proc.Kill() // and is never started again
	w.isAsBefore(a.Host, untouched)
	a.start()
	a.reaches("n2", soon)
	a.Proc.Kill()
	a.start()
	a.reaches("n2", soon)
	a.types("down")
	w.isAsBefore(a.Host, untouched)
	a.types("up")
	a.reaches("n2", soon)
	a.stop()
	w.isAsBefore(a.Host, untouched)
	if out, err := a.Run(a.Host.Command(w.ctx, w.set.Path("cvland"), "--cleanup")); err != nil {
		t.Errorf("cvland --cleanup: %v %s", err, out)
	}
	w.isAsBefore(a.Host, untouched)
}

func TestASecondDaemonIsRefused(t *testing.T) {
	w := begin(t)
	h := w.lab.Public("a")
	n := w.node(h)
	for _, args := range [][]string{nil, {"--socket", "/run/other.sock"}, {"--state", "/var/lib/cvlan-other"}} {
		f := w.fails(h, args...)
		if f.Code != int(iox.Invalid) || !strings.Contains(f.Output, "another") {
			t.Errorf("a second cvland %v: %v", args, f)
		}
	}
	n.types("status") // the first goes on
}

// fails runs cvland, which must end by itself with an error.
func (w *world) fails(h *lab.Host, args ...string) *deploy.Failure {
	w.t.Helper()
	return w.failsAs(h.Command(w.ctx, w.set.Path("cvland"), args...))
}

func (w *world) failsAs(cmd *lab.Cmd) *deploy.Failure {
	w.t.Helper()
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	w.must(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(soon):
		_ = cmd.Process.Kill()
		<-ended
		w.t.Fatalf("%v does not end; it says:\n%s", cmd.Args, out.String())
	}
	if !strings.HasPrefix(lastLine(out.String()), "cvland: ") {
		w.t.Errorf("not one line that says what and why:\n%s", out.String())
	}
	return &deploy.Failure{Command: strings.Join(cmd.Args, " "), Code: cmd.ProcessState.ExitCode(), Output: out.String()}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func TestTheInterfaceNameIsTaken(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(1)
	c := w.controller(r.Controller)
	n := w.node(r.Nodes[0])
	w.addLink(n.Host, "mesh", "")
	before := w.network(n.Host)
	key := c.key()
	_, err := n.Join(w.ctx, key, "--interface", "mesh")
	w.refused(err, iox.Invalid, "mesh", "choose another name")
	w.isAsBefore(n.Host, before) // the other's interface above all
	w.dropLink(n.Host, "mesh")
	n.types("up")
	n.becomes(local.Up, soon)
	if got := n.in(office).Interface; got != "mesh" {
		t.Errorf("the interface is %q", got)
	}
}

func TestWithoutATUNDevice(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(1)
	c := w.controller(r.Controller)
	h := r.Nodes[0]
	w.must(h.Do(func() error { return unix.Mount("tmpfs", "/dev/net", "tmpfs", 0, "size=4k") }))
	n := w.node(h)
	_, err := n.Join(w.ctx, c.key())
	w.refused(err, iox.Internal, "no /dev/net/tun", "modprobe tun")
	w.must(h.Do(func() error { return unix.Unmount("/dev/net", 0) }))
	n.becomes(local.Up, time.Minute) // by itself
	if got := len(c.nodes()); got != 1 {
		t.Errorf("the controller has %d nodes", got)
	}
}

func TestWithoutPermission(t *testing.T) {
	w := begin(t)
	h := w.lab.Public("a")
	f := w.failsAs(as(h.Command(w.ctx, w.set.Path("cvland")), stranger))
	if f.Code != int(iox.Permission) || !strings.Contains(f.Output, "sudo cvland") {
		t.Errorf("cvland of an ordinary user: %v", f)
	}
}

func TestTheRangeClashesWithTheLAN(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(1)
	c := w.controller(r.Controller)
	c.admin("network", "create", "plant", "--range4", "10.99.0.0/16")
	key, err := c.Key(w.ctx, "plant")
	w.must(err)
	n := w.node(r.Nodes[0])
	w.addLink(n.Host, "lan1", "10.99.7.1/24")
	before := w.network(n.Host)
	_, err = n.Join(w.ctx, key)
	w.refused(err, iox.Invalid, "plant", "10.99.0.0/16", "10.99.7.0/24", "lan1")
	w.isAsBefore(n.Host, before)
	w.dropLink(n.Host, "lan1")
	w.eventually(time.Minute, "it comes up by itself when the clash is gone", func() error {
		if m := n.in("plant"); m.State != local.Up {
			return errors.New(string(m.State))
		}
		return nil
	})
}

func TestTheRangeClashesWithAnotherMembership(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(1)
	c := w.controller(r.Controller)
	n := w.node(r.Nodes[0])
	keys := map[string]string{}
	for network, wide := range map[string]string{"plant": "10.99.0.0/16", "site": "10.99.4.0/24"} {
		tenant := "tenant-" + network // two networks of one tenant may not overlap at all
		c.admin("tenant", "create", tenant)
		c.admin("network", "create", network, "--range4", wide, "--tenant", tenant)
		k, err := c.Key(w.ctx, network, "--tenant", tenant)
		w.must(err)
		keys[network] = k
	}
	n.join(keys["plant"])
	before := w.network(n.Host)
	_, err := n.Join(w.ctx, keys["site"])
	w.refused(err, iox.Invalid, "site", "10.99.4.0/24", "plant", "10.99.0.0/16")
	w.isAsBefore(n.Host, before)
	if got := n.in("plant").State; got != local.Up {
		t.Errorf("the first membership is %s", got)
	}
	n.types("down", "--network", "plant")
	w.eventually(time.Minute, "the second comes up", func() error {
		if m := n.in("site"); m.State != local.Up {
			return errors.New(string(m.State))
		}
		return nil
	})
	if _, err := os.Stat(n.Host.Path("/var/lib/cvlan/networks")); err != nil {
		t.Error(err)
	}
}
