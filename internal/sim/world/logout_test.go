package world

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/controller/store"
)

// leaves logs a node out of the network that it is in.
func (n *Node) leaves() local.LoggedOut {
	n.w.T.Helper()
	left, err := n.live.Logout(n.w.Background(), local.LogoutRequest{})
	if err != nil {
		n.w.T.Fatalf("%s logs out: %v", n.Name, err)
	}
	return left
}

// lists reports whether the controller has a node.
func (c *Controller) lists(w *World, name string) bool {
	all, err := c.Tenant().Nodes(w.Background(), 0)
	if err != nil {
		w.T.Fatal(err)
	}
	for _, n := range all {
		if n.Name == name {
			return true
		}
	}
	return false
}

func TestWhoLogsOutIsGoneFromTheNetwork(t *testing.T) {
	Tell(t, 31, func(w *World) {
		key := w.Controller.Key(w.Controller.Network("office", true), nil)
		a, b, off := w.Node("a"), w.Node("b"), w.Node("off")
		for _, n := range []*Node{a, b, off} {
			n.Join(key)
			n.Up()
		}
		w.Until(5*time.Second, "a sees b", func() bool { return a.Sees("b") })
		id := w.id("b")
		if left := b.leaves(); !left.Deleted || left.Problem != nil || left.Node != id.String() || left.Network != "office" {
			t.Fatalf("b is told %+v", left)
		}
		if w.Controller.lists(w, "b") {
			t.Error("the controller has b still")
		}
		if _, err := w.Controller.Tenant().Node(w.Background(), id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("node b: %v", err)
		}
		w.Until(5*time.Second, "a sees b no more", func() bool { return !a.Sees("b") })

		// One that is switched off can leave, too.
		if _, err := off.live.Down(w.Background(), local.DownRequest{}); err != nil {
			t.Fatal(err)
		}
		if left := off.leaves(); !left.Deleted || w.Controller.lists(w, "off") {
			t.Errorf("off is told %+v", left)
		}
	})
}

func TestWhoLogsOutWithoutTheControllerIsToldWhatStays(t *testing.T) {
	Tell(t, 32, func(w *World) {
		key := w.Controller.Key(w.Controller.Network("office", true), nil)
		a := w.Node("a")
		a.Join(key)
		a.Up()
		id := w.id("a").String()
		w.Controller.Stop()
		before := w.Now()
		left := a.leaves()
		if left.Deleted || left.Problem == nil || left.Problem.Code != "controller-unreachable" || left.Node != id {
			t.Fatalf("a is told %+v, %+v", left, left.Problem)
		}
		if took := w.Now().Sub(before); took > 15*time.Second {
			t.Errorf("it took %v", took)
		}
		w.Controller.Start()
		if !w.Controller.lists(w, "a") {
			t.Error("the controller has lost a")
		}
	})
}

func TestACopyCannotTakeTheFirstAway(t *testing.T) {
	Tell(t, 33, func(w *World) {
		first, clone := w.copied()
		left := clone.leaves()
		if left.Deleted || left.Problem == nil || left.Problem.Code != "cloned" || !strings.Contains(left.Problem.Hint, "logout --local") {
			t.Errorf("the clone is told %+v", left)
		}
		first.Reaches(5*time.Second, "other")
	})
}
