package world

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/sim/netsim"
	"github.com/cvlan/cvlan/internal/sys/stream"
)

func TestTwoMachinesJoinAndPing(t *testing.T) {
	for _, transport := range []stream.Transport{stream.Auto, stream.QUIC, stream.TCP} {
		t.Run(string(transport), func(t *testing.T) {
			Tell(t, 1, func(w *World) {
				key := w.Controller.Key(w.Controller.Network("office", true), nil)
				a, b := w.Node("a"), w.Node("b")
				a.Transport, b.Transport = transport, transport
				a.Join(key)
				b.Join(key)
				a.Reaches(time.Second, "b")
				b.Reaches(time.Second, "a")
			})
		})
	}
}

// Whoever has just been started is asked while its network comes up: it waits, with and without a relay.
func TestAPingWaitsForWhatIsJustStarting(t *testing.T) {
	Tell(t, 35, func(w *World) {
		w.Relay("eu")
		key := w.Controller.Key(w.Controller.Network("office", true), nil)
		a, b := w.Node("a"), w.Node("b")
		a.Join(key)
		b.Join(key)
		a.Reaches(5*time.Second, "b")
		for _, via := range []string{"", local.PathRelay} {
			a.Stop()
			a.Start()
			p, err := a.live.Ping(w.Background(), local.PingRequest{Peer: "b", Via: via, TimeoutMS: 5000})
			if err != nil || via != "" && p.Path != via {
				t.Errorf("%q: %+v, %v", via, p, err)
			}
		}
	})
}

func TestFiftyNodesJoinAtOnceInBadWeather(t *testing.T) {
	const nodes = 50
	Tell(t, 2, func(w *World) {
		w.Net.Weather(netsim.Conditions{Latency: 20 * time.Millisecond, Jitter: 20 * time.Millisecond, Loss: 0.02, Duplicate: 0.01, Reorder: 0.02})
		key := w.Controller.Key(w.Controller.Network("office", true), nil)
		joined := make(chan error, nodes)
		for i := range nodes {
			n := w.Node(fmt.Sprintf("n%d", i))
			go func() { joined <- n.TryJoin(key) }()
		}
		for range nodes {
			if err := <-joined; err != nil {
				t.Fatal(err)
			}
		}
		for _, n := range w.nodes {
			w.Until(30*time.Second, n.Name+" sees everybody", func() bool { return len(n.Network().Peers) == nodes-1 })
		}
		w.nodes[0].Reaches(10*time.Second, "n49")
		w.nodes[49].Reaches(10*time.Second, "n0")
	})
}

func TestTheControllerIsAwayForAWeekAndNodesRestart(t *testing.T) {
	Tell(t, 3, func(w *World) {
		key := w.Controller.Key(w.Controller.Network("office", true), nil)
		var all []*Node
		for _, name := range []string{"a", "b", "c"} {
			n := w.Node(name)
			n.Transport = stream.TCP // half as many attempts to simulate
			n.Join(key)
			all = append(all, n)
		}
		for _, n := range all {
			w.Until(time.Minute, n.Name+" sees both", func() bool { return len(n.Network().Peers) == 2 })
		}
		w.Sleep(10 * time.Second) // the map is on disk within seconds
		w.Controller.Kill()
		for day := range 7 {
			n := all[day%3]
			if day%2 == 0 {
				n.Stop()
			} else {
				n.Kill()
			}
			n.Start()
			for _, other := range all {
				if other != n {
					n.Reaches(20*time.Second, other.Name)
				}
			}
			if s := n.Network().State; s != local.Offline {
				t.Fatalf("day %d: %s is %s, want offline: up without a controller", day, n.Name, s)
			}
			w.Sleep(24 * time.Hour)
		}
		w.Controller.Start()
		for _, n := range all {
			n.Up()
		}
		all[0].Reaches(5*time.Second, "b")
	})
}

// Who asks is told of a controller that has died without a word before the connection to it is given up; the peers go on.
func TestAControllerThatDiesWithoutAWordIsMissedInHalfAMinute(t *testing.T) {
	Tell(t, 4, func(w *World) {
		key := w.Controller.Key(w.Controller.Network("office", true), nil)
		a, b := w.Node("a"), w.Node("b")
		a.Transport, b.Transport = stream.QUIC, stream.QUIC
		a.Join(key)
		b.Join(key)
		a.Reaches(time.Second, "b")
		w.Sleep(62 * time.Minute) // long before it is asked again by its own protocol
		if n := a.Network(); n.State != local.Up {
			t.Fatalf("%s %v", n.State, n.Problem)
		}
		w.Controller.Kill()
		w.Until(35*time.Second, "a is told", func() bool { return a.Network().State == local.Offline })
		if n := a.Network(); n.Problem == nil || n.Problem.Code != "controller-silent" || n.Controller.Connected {
			t.Errorf("%+v, %v", n.Controller, n.Problem)
		}
		a.Reaches(time.Second, "b")
		w.Until(2*time.Minute, "the connection is given up", func() bool { return a.Network().Problem.Code == "controller-unreachable" })
		w.Controller.Start()
		w.Until(time.Minute, "a is back", func() bool { return a.Network().State == local.Up })
	})
}

func TestMonthsPassAndCertificatesRenewThemselves(t *testing.T) {
	Tell(t, 4, func(w *World) {
		key := w.Controller.Key(w.Controller.Network("office", true), nil)
		a, b := w.Node("a"), w.Node("b")
		a.Transport, b.Transport = stream.TCP, stream.TCP // QUIC's keepalives of two months would be all that is simulated
		a.Join(key)
		b.Join(key)
		a.Up()
		first := *a.Network().Controller.CertUntil
		w.Sleep(45 * 24 * time.Hour)
		a.Up()
		if second := *a.Network().Controller.CertUntil; !second.After(first) {
			t.Fatalf("the certificate still ends on %v after 45 days", second)
		}
		w.Controller.Kill()
		a.Stop()
		b.Stop()
		w.Sleep(28 * 24 * time.Hour) // a month without a controller always works
		a.Start()
		b.Start()
		w.Sleep(24 * time.Hour)
		a.Reaches(20*time.Second, "b")
		w.Controller.Start()
		a.Up()
		b.Up()
	})
}

func TestAWrongClockConnectsOrSaysSo(t *testing.T) {
	Tell(t, 5, func(w *World) {
		key := w.Controller.Key(w.Controller.Network("office", true), nil)
		past := w.Node("past")
		past.Skew = -50 * 365 * 24 * time.Hour
		past.Join(key)
		past.Up()
		past.Stop()
		past.Start()
		past.Up()

		future := w.Node("future")
		future.Skew = 30 * 365 * 24 * time.Hour
		err := future.TryJoin(key)
		if err == nil || !strings.Contains(fmt.Sprintf("%+v", err), "clock") {
			t.Fatalf("a clock 30 years ahead: %v; want the clock named", err)
		}
		future.Skew = 0
		future.Join(key)
		future.Up()
	})
}

// copied makes a node that is online, another, and a copy of the first, which is refused.
func (w *World) copied() (first, clone *Node) {
	key := w.Controller.Key(w.Controller.Network("office", true), nil)
	first = w.Node("first")
	first.Join(key)
	w.Node("other").Join(key)
	first.Up()
	w.Sleep(10 * time.Second)
	clone = first.Clone("clone")
	w.Until(time.Minute, "the clone is refused", func() bool { return clone.Network().State == local.NeedsLogin })
	return first, clone
}

func TestCopiedStateIsRefusedWhileTheFirstAnswers(t *testing.T) {
	Tell(t, 6, func(w *World) {
		first, clone := w.copied()
		p := clone.Network().Problem
		if p == nil || !strings.Contains(p.Hint, "cvlan logout") {
			t.Fatalf("the clone's problem is %+v; want the command for a new identity", p)
		}
		first.Up()
		first.Reaches(5*time.Second, "other")
	})
}

func TestARebootTakesItsPlaceBack(t *testing.T) {
	Tell(t, 7, func(w *World) {
		key := w.Controller.Key(w.Controller.Network("office", true), nil)
		a, b := w.Node("a"), w.Node("b")
		a.Join(key)
		b.Join(key)
		a.Up()
		w.Sleep(10 * time.Second)
		a.Kill()
		a.Start()
		a.Up()
		a.Reaches(20*time.Second, "b")
	})
}

func TestADeltaLostInAReconnectIsMadeUpFor(t *testing.T) {
	Tell(t, 8, func(w *World) {
		office := w.Controller.Network("office", true)
		key := w.Controller.Key(office, nil)
		a := w.Node("a")
		a.Join(key)
		a.Up()
		for round := range 5 {
			w.Net.Cut(controllerAddr, a.Addr, true)
			n := w.Node(fmt.Sprintf("late%d", round))
			n.Join(key)
			n.Up()
			if round == 3 {
				w.Controller.Kill()
				w.Controller.Start()
			}
			w.Sleep(time.Duration(round*40) * time.Second)
			w.Net.Cut(controllerAddr, a.Addr, false)
			w.Until(2*time.Minute, "a hears of "+n.Name, func() bool { return a.Sees(n.Name) })
		}
	})
}

func TestASlowClientGetsOneMergedDelta(t *testing.T) {
	Tell(t, 9, func(w *World) {
		office := w.Controller.Network("office", true)
		key := w.Controller.Key(office, nil)
		slow, quick := w.Node("slow"), w.Node("quick")
		slow.Transport = stream.TCP
		slow.Join(key)
		quick.Join(key)
		slow.Up()
		quick.Up()
		node := w.id("quick")
		w.Net.Line(controllerAddr, slow.Addr, netsim.Conditions{Latency: 10 * time.Second})
		for i := range 200 {
			if _, err := w.Controller.Tenant().RenameNode(w.Background(), "story", node, fmt.Sprintf("quick-%d", i), 0); err != nil {
				t.Fatal(err)
			}
			w.Sleep(50 * time.Millisecond)
		}
		w.Until(2*time.Minute, "the last name arrives", func() bool { return slow.Sees("quick-199") })
		if w.Controller.Sessions() != 2 {
			t.Fatalf("%d sessions; a slow client must not be cut off", w.Controller.Sessions())
		}
	})
}

func TestAnOldBackupIsRestored(t *testing.T) {
	Tell(t, 10, func(w *World) {
		office := w.Controller.Network("office", true)
		key := w.Controller.Key(office, nil)
		a, b := w.Node("a"), w.Node("b")
		a.Join(key)
		b.Join(key)
		a.Up()
		b.Up()
		backup := w.Controller.Backup()
		late := w.Node("late")
		late.Join(key)
		w.Until(time.Minute, "a sees late", func() bool { return a.Sees("late") })
		if _, err := w.Controller.Tenant().RenameNode(w.Background(), "story", w.id("b"), "renamed", 0); err != nil {
			t.Fatal(err)
		}
		w.Until(time.Minute, "a sees the new name", func() bool { return a.Sees("renamed") })
		w.Controller.Restore(backup)
		w.Until(2*time.Minute, "a has the map of the backup", func() bool { return a.Sees("b") && !a.Sees("renamed") && !a.Sees("late") })
		w.Until(2*time.Minute, "late is told to join again", func() bool { return late.Network().State == local.NeedsLogin })
		a.Reaches(20*time.Second, "b")
	})
}

func TestClosingANetworkAndApprovingANode(t *testing.T) {
	Tell(t, 11, func(w *World) {
		office := w.Controller.Network("office", false)
		key := w.Controller.Key(office, nil)
		a, b := w.Node("a"), w.Node("b")
		a.Join(key)
		b.Join(key)
		a.Up()
		b.Up()
		w.Sleep(5 * time.Second)
		if a.Sees("b") || b.Sees("a") {
			t.Fatal("a closed network shows its members")
		}
		w.Controller.Policy(office, string(store.FirstPolicy(true)))
		a.Reaches(2*time.Second, "b")
		w.Controller.Policy(office, string(store.FirstPolicy(false)))
		w.Until(2*time.Second, "the peer is gone", func() bool { return !a.Sees("b") && !b.Sees("a") })
		w.Controller.Policy(office, string(store.FirstPolicy(true)))

		c := w.Node("c")
		c.Join(w.Controller.Key(office, func(k *store.JoinKey) { k.Approve = true }))
		w.Until(10*time.Second, "c waits", func() bool { return c.Network().State == local.Pending })
		if a.Sees("c") || c.Sees("a") {
			t.Fatal("a node that waits for approval is shown or sees")
		}
		if _, err := w.Controller.Tenant().ApproveNode(w.Background(), "story", w.id("c"), 0); err != nil {
			t.Fatal(err)
		}
		c.Reaches(2*time.Second, "a")
		if _, err := w.Controller.Tenant().SuspendNode(w.Background(), "story", w.id("c"), 0); err != nil {
			t.Fatal(err)
		}
		w.Until(2*time.Second, "c waits again, and nobody knows it", func() bool { return !a.Sees("c") && !b.Sees("c") && !c.Sees("a") && c.Network().State == local.Pending })
		if _, err := w.Controller.Tenant().ApproveNode(w.Background(), "story", w.id("c"), 0); err != nil {
			t.Fatal(err)
		}
		c.Reaches(2*time.Second, "a")
		if err := w.Controller.Tenant().DeleteNode(w.Background(), "story", w.id("c"), 0); err != nil {
			t.Fatal(err)
		}
		w.Until(2*time.Second, "c is gone everywhere", func() bool { return !a.Sees("c") && !b.Sees("c") && c.Network().State == local.NeedsLogin })
	})
}

func TestAnEphemeralNodeGoesWhenItsTimeHasCome(t *testing.T) {
	Tell(t, 12, func(w *World) {
		office := w.Controller.Network("office", true)
		a, e := w.Node("a"), w.Node("e")
		a.Join(w.Controller.Key(office, nil))
		e.Join(w.Controller.Key(office, func(k *store.JoinKey) { k.Ephemeral = true }))
		e.Up()
		w.Until(time.Minute, "a sees e", func() bool { return a.Sees("e") })
		e.Stop()
		w.Sleep(25 * time.Minute)
		if !a.Sees("e") {
			t.Fatal("an ephemeral node went before its time")
		}
		e.Start()
		e.Up()
		w.Sleep(time.Hour)
		if !a.Sees("e") {
			t.Fatal("an ephemeral node went while it was online")
		}
		e.Stop()
		w.Until(31*time.Minute, "e is gone", func() bool { return !a.Sees("e") })
	})
}
