//go:build e2e && linux

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/lab/deploy"
)

func TestScriptsLearnHowItIsByTheExitCode(t *testing.T) {
	w := begin(t)
	c, nodes, _ := w.town(1, "--transport", "tcp")
	n := nodes[0]
	check := func(what string) int {
		_, err := n.CLI(w.ctx, "status", "--check", what)
		var f *deploy.Failure
		if err == nil {
			return 0
		} else if errors.As(err, &f) {
			return f.Code
		}
		t.Fatal(err)
		return -1
	}
	n.becomes(local.Up, soon)
	if a, b := check("ready"), check("healthy"); a != 0 || b != 0 {
		t.Errorf("connected: ready %d, healthy %d", a, b)
	}
	c.Proc.Kill()
	n.becomes(local.Offline, soon)
	if a, b := check("ready"), check("healthy"); a != 0 || b != int(iox.Degraded) {
		t.Errorf("the controller is away: ready %d, healthy %d", a, b)
	}
	n.types("down")
	if got := check("ready"); got != int(iox.Degraded) {
		t.Errorf("down: ready %d", got)
	}
}

func TestAWatchTellsEveryChange(t *testing.T) {
	w := begin(t)
	c, nodes, _ := w.town(2)
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	cmd := nodes[0].Host.Command(ctx, w.set.Path("cvlan"), "status", "--watch", "--json")
	out, err := cmd.StdoutPipe()
	w.must(err)
	w.must(cmd.Start())
	names := make(chan string)
	go func() {
		defer close(names)
		for dec := json.NewDecoder(out); ; {
			var s local.Status
			if dec.Decode(&s) != nil {
				return
			}
			var all []string
			for _, p := range s.Networks[0].Peers {
				all = append(all, p.Name)
			}
			names <- strings.Join(all, " ")
		}
	}()
	expect := func(want string) {
		t.Helper()
		for got := range names {
			if got == want {
				return
			}
		}
		t.Errorf("the watch ended before it told of %q", want)
	}
	expect("n2")
	c.admin("node", "rename", "n2", "db-7")
	expect("db-7")
	c.admin("node", "delete", "db-7", "--yes")
	expect("")
	cancel()
	for range names {
	}
	if err := cmd.Wait(); err == nil || errors.As(err, new(*exec.Error)) {
		t.Errorf("the watch ended by %v", err)
	}
}

func TestTheSizeOfPacketsIsChosen(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(1)
	c := w.controller(r.Controller)
	n := w.node(r.Nodes[0], "--mtu", "1420")
	n.join(c.key())
	if got := n.in(office).MTU; got != 1420 {
		t.Errorf("the MTU is %d", got)
	}
	f := w.fails(r.Controller, "--mtu", "500")
	if f.Code != int(iox.Usage) || !strings.Contains(f.Output, "1280") {
		t.Errorf("cvland --mtu 500: %v", f)
	}
}
