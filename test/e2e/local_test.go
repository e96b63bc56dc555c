//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"syscall"
	"testing"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/lab"
)

// stranger is an ordinary user of a host, and a member of no group.
const stranger = 65534

// as makes a command run as another user.
func as(cmd *lab.Cmd, uid uint32) *lab.Cmd {
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: uid, NoSetGroups: cmd.SysProcAttr.Credential != nil}
	return cmd
}

func TestAnOrdinaryUserMayReadAndNoMore(t *testing.T) {
	w := begin(t)
	_, nodes, _ := w.town(2)
	n := nodes[0]
	n.reaches("n2", soon)
	strangers := func(args ...string) (string, error) {
		return n.Run(as(n.Host.Command(w.ctx, w.set.Path("cvlan"), args...), stranger))
	}

	out, err := strangers("status", "--json")
	w.must(err)
	var s local.Status
	w.must(json.Unmarshal([]byte(out), &s))
	if len(s.Networks) != 1 || len(s.Networks[0].Peers) != 1 || s.Networks[0].Peers[0].Name != "n2" {
		t.Fatalf("an ordinary user reads %s", out)
	}
	if p := s.Networks[0].Peers[0]; p.Endpoint != nil || p.Candidates != nil {
		t.Errorf("an ordinary user learns where a peer is: %v, %v", p.Endpoint, p.Candidates)
	}
	out, err = strangers("ping", "-c", "1", "--json", "n2")
	w.must(err)
	var pings struct{ Pongs []local.Pong }
	w.must(json.Unmarshal([]byte(out), &pings))
	if len(pings.Pongs) != 1 || pings.Pongs[0].Endpoint != nil {
		t.Errorf("an ordinary user's ping tells %s", out)
	}

	_, err = strangers("down")
	w.refused(err, iox.Permission, "sudo")
	_, err = strangers("up")
	w.refused(err, iox.Permission, "sudo")
	if got := n.in(office).State; got != local.Up {
		t.Errorf("the network is %s after an ordinary user's down", got)
	}
}

func TestTheStateMayBeClosedToOrdinaryUsers(t *testing.T) {
	w := begin(t)
	n := w.node(w.lab.Public("a"), "--local-read", "group")
	_, err := n.Run(as(n.Host.Command(w.ctx, w.set.Path("cvlan"), "status"), stranger))
	w.refused(err, iox.Permission, "cvlan")
	n.types("status")
}
