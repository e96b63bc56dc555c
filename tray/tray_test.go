package tray

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/tray/menu"
	"github.com/cvlan/cvlan/tray/traytest"
)

func member(name string, s local.State) local.Network {
	n := traytest.Network(name, 3)
	n.State = s
	return n
}

var errAway = fmt.Errorf("%w at /run/cvlan/cvland.sock: no such file or directory", local.ErrNoDaemon)

func TestTheDaemonGoesAndComesBack(t *testing.T) {
	play(t, newTwin(member("office", local.Up)), func(t *testing.T, s *scene) {
		if pic := s.p.picture(); pic.Stand != menu.On || !strings.HasPrefix(pic.Title, "office: connected") {
			t.Fatalf("at first: %+v", pic)
		}
		s.d.set(errAway)
		time.Sleep(time.Second)
		if pic := s.p.picture(); pic.Stand != menu.Warning || pic.Title != "The daemon does not answer" {
			t.Errorf("without a daemon: %s, %s", pic.Stand, pic.Title)
		}
		if said := s.p.titles(); said != "" {
			t.Errorf("a moment of absence is told: %s", said)
		}
		time.Sleep(settle)
		if said := s.p.titles(); said != "CloudVLAN is out of reach" {
			t.Errorf("after a while: %q", said)
		}
		s.d.set(nil, member("office", local.Up))
		time.Sleep(again)
		if pic := s.p.picture(); pic.Stand != menu.On {
			t.Errorf("with a new daemon: %s, %s", pic.Stand, pic.Title)
		}
		if said := s.p.titles(); said != "CloudVLAN is back" {
			t.Errorf("with a new daemon: %q", said)
		}
	})
}

func TestClicksHappenInOrderAndNoneIsLost(t *testing.T) {
	d := newTwin(member("office", local.Up))
	play(t, d, func(t *testing.T, s *scene) {
		slow := make(chan struct{})
		d.mu.Lock()
		d.slow = slow
		d.mu.Unlock()
		const clicks = 3 * maxJobs
		var want []string
		go func() {
			for i := range clicks {
				s.p.clicks <- menu.Action{Verb: menu.Down, Network: fmt.Sprint(i)}
			}
		}()
		for i := range clicks {
			want = append(want, fmt.Sprintf("down %d", i))
		}
		synctest.Wait() // the queue is full, and who clicks waits
		close(slow)
		synctest.Wait()
		if d.mu.Lock(); !slices.Equal(d.asked, want) {
			t.Errorf("asked %v", d.asked)
		}
		d.mu.Unlock()
	})
}

func TestQuitDoesNotWaitForADaemonThatHangs(t *testing.T) {
	d := newTwin(member("office", local.Up))
	play(t, d, func(t *testing.T, s *scene) {
		d.mu.Lock()
		d.slow = make(chan struct{})
		d.mu.Unlock()
		s.p.clicks <- menu.Action{Verb: menu.Down}
		s.p.clicks <- menu.Action{Verb: menu.Quit}
		synctest.Wait()
		began := time.Now()
		if err := s.end(); err != nil || time.Since(began) > 0 {
			t.Error(err, time.Since(began))
		}
	})
}

func TestTheEndOfThePanelIsTheEndOfTheTray(t *testing.T) {
	play(t, newTwin(), func(t *testing.T, s *scene) {
		close(s.p.gone)
		synctest.Wait()
		if err := s.end(); !errors.Is(err, errGone) {
			t.Error(err)
		}
	})
}

func TestARefusedClickIsToldAndStaysAWhile(t *testing.T) {
	d := newTwin(member("office", local.Up))
	play(t, d, func(t *testing.T, s *scene) {
		d.mu.Lock()
		d.err = local.CodePermission.Problem("switch memberships off, or forget them", "this user may not do that", "use sudo, or become a member of the group cvlan")
		d.mu.Unlock()
		s.p.clicks <- menu.Action{Verb: menu.Down}
		synctest.Wait()
		if said := s.p.titles(); said != "switch memberships off, or forget them: this user may not do that" {
			t.Errorf("told %q", said)
		}
		shown := write(s.p.picture().Entries)
		if !strings.Contains(shown, "may not do that") || !strings.Contains(shown, "group cvlan") {
			t.Error(shown)
		}
		time.Sleep(complain + time.Second)
		if shown := write(s.p.picture().Entries); strings.Contains(shown, "may not do that") {
			t.Error(shown)
		}
	})
}

func TestCopyAndAutostart(t *testing.T) {
	play(t, newTwin(member("office", local.Up)), func(t *testing.T, s *scene) {
		s.p.clicks <- menu.Action{Verb: menu.Copy, Text: "10.90.0.2", Of: "my address 10.90.0.2"}
		s.p.clicks <- menu.Action{Verb: menu.Autostart, On: true}
		s.p.clicks <- menu.Action{Verb: menu.Terminal}
		synctest.Wait()
		if !slices.Equal(s.desk.copied, []string{"10.90.0.2"}) || s.desk.terminals != 1 || !s.desk.auto {
			t.Errorf("%+v", s.desk)
		}
		if said := s.p.titles(); said != "Copied" {
			t.Error(said)
		}
		if shown := write(s.p.picture().Entries); !strings.Contains(shown, "[x] Start at login") {
			t.Error(shown)
		}
	})
}

func TestOneNetworkAloneComesUpBeforeTheOthersGo(t *testing.T) {
	lab := member("lab", local.Down)
	play(t, newTwin(member("office", local.Up), lab, member("plant", local.Failed)), func(t *testing.T, s *scene) {
		s.p.clicks <- menu.Action{Verb: menu.Only, Network: lab.ID}
		synctest.Wait()
		if want := []string{"up n-lab", "down n-office", "down n-plant"}; !slices.Equal(s.d.asked, want) {
			t.Error(s.d.asked)
		}
		s.d.set(errAway, lab)
		s.p.clicks <- menu.Action{Verb: menu.Only, Network: "n-office"}
		synctest.Wait()
		if n := len(s.d.asked); n != 4 { // only the attempt to come up
			t.Error(s.d.asked)
		}
	})
}

func TestProfilesThatOthersMakeShowAndAreChosen(t *testing.T) {
	play(t, newTwin(member("office", local.Up)), func(t *testing.T, s *scene) {
		if shown := write(s.p.picture().Entries); strings.Contains(shown, "profile") {
			t.Error("without two there is no choice:", shown)
		}
		s.desk.mu.Lock()
		s.desk.profiles, s.desk.profile = []string{"home", "work"}, "home"
		s.desk.mu.Unlock()
		time.Sleep(idle)
		s.p.clicks <- menu.Action{Verb: menu.Profile, Text: "work"}
		synctest.Wait()
		if shown := write(s.p.picture().Entries); !strings.Contains(shown, "Controller profile: work") || !strings.Contains(shown, "[x] work") || !strings.Contains(shown, "[ ] home") {
			t.Error(shown)
		}
	})
}

func TestADaemonThatRefusesWatchesIsAsked(t *testing.T) {
	for _, why := range []local.Code{local.CodeBusy, local.CodeNotFound} {
		d := newTwin(member("office", local.Up))
		d.busy, d.refusal = true, why.Problem("watch the status", "", "")
		play(t, d, func(t *testing.T, s *scene) {
			if pic := s.p.picture(); pic.Stand != menu.On {
				t.Fatal(pic.Title)
			}
			s.d.set(nil, member("office", local.Offline))
			time.Sleep(ask + time.Second)
			if pic := s.p.picture(); pic.Stand != menu.Warning {
				t.Error(pic.Title)
			}
		})
	}
}

func TestADaemonThatShowsNothingToThisUserIsSaid(t *testing.T) {
	d := newTwin(member("office", local.Up))
	d.busy, d.refusal = true, local.CodePermission.Problem("talk to the daemon", "this machine's administrator has closed its state", "use sudo, or ask to be added to the group")
	play(t, d, func(t *testing.T, s *scene) {
		if pic := s.p.picture(); pic.Stand != menu.Warning || !strings.Contains(pic.Title, "has closed its state") || !strings.Contains(write(pic.Entries), "use sudo") {
			t.Error(pic)
		}
	})
}

// TestManyPeersRestTheReader holds the bound of what a large network that changes all the time costs.
func TestManyPeersRestTheReader(t *testing.T) {
	crowd := traytest.Network("office", 10_000)
	d := newTwin(crowd)
	play(t, d, func(t *testing.T, s *scene) {
		out := make(chan news)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); follow(ctx, d, out) }()
		go func() {
			for ctx.Err() == nil {
				d.set(nil, crowd)
				pause(ctx, 100*time.Millisecond)
			}
		}()
		n := 0
		for end := time.After(time.Minute); ; {
			select {
			case <-out:
				n++
				continue
			case <-end:
			}
			break
		}
		cancel()
		<-done
		if n > 35 {
			t.Errorf("%d states of 10,000 peers were read in a minute", n)
		}
	})
}
