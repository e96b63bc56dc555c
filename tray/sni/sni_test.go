package sni_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/tray"
	"github.com/cvlan/cvlan/tray/icon"
	"github.com/cvlan/cvlan/tray/menu"
	"github.com/cvlan/cvlan/tray/sni"
	"github.com/cvlan/cvlan/tray/traytest"
)

func picture(s menu.Stand, labels ...string) menu.Picture {
	p := menu.Picture{Stand: s, Title: "office: connected"}
	for _, l := range labels {
		p.Entries = append(p.Entries, menu.Entry{Key: l, Label: l, Action: menu.Action{Verb: menu.Copy, Text: l}})
	}
	return p
}

func open(t *testing.T, d *traytest.Desktop, first menu.Picture) *sni.Panel {
	t.Helper()
	p, err := sni.Open(t.Context(), sni.Config{Address: d.Address, Wait: 20 * time.Second, Log: func(s string) { t.Log(s) }}, first)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func clicked(t *testing.T, p *sni.Panel) string {
	t.Helper()
	select {
	case a := <-p.Clicks():
		return a.Text
	case <-time.After(time.Minute):
		t.Fatal("the click never came")
	}
	return ""
}

func TestAHostReadsIconAndMenuAndClicksEveryEntry(t *testing.T) {
	d := traytest.New(t)
	d.Watcher(true)
	first := picture(menu.Relayed, "one", "two_three")
	first.Detail = "office: <b>5</b> peers"
	first.Entries = append(first.Entries, menu.Entry{Key: "line", Kind: menu.Separator}, menu.Entry{Key: "sub", Label: "more", Children: []menu.Entry{
		{Key: "four", Label: "four", Kind: menu.Check, Marked: true, Action: menu.Action{Verb: menu.Copy, Text: "four"}},
		{Key: "five", Label: "five", Disabled: true},
	}})
	p := open(t, d, first)
	i := d.Icon()
	for _, n := range icon.Sizes {
		if !slices.Equal(i.Pixmaps()[int32(n)], icon.ARGB(icon.Draw(menu.Relayed, n))) {
			t.Errorf("the icon of %d pixels is another", n)
		}
	}
	if title, text := i.Tooltip(); title != "office: connected" || text != "office: &lt;b&gt;5&lt;/b&gt; peers" {
		t.Errorf("tooltip %q, %q", title, text)
	}
	if i.Property("Id") != "cvlan-tray" || i.Property("ItemIsMenu") != true || i.Property("Status") != "Active" {
		t.Error("the item's other properties")
	}
	want := "one\ntwo__three\n---\nmore\n    [x] four\n    ( ) five\n"
	if got := traytest.Text(i.Menu()); got != want {
		t.Fatalf("got\n%swant\n%s", got, want)
	}
	for _, label := range []string{"one", "two__three", "four"} {
		i.Click(label)
		if got := clicked(t, p); got != strings.ReplaceAll(label, "__", "_") {
			t.Errorf("a click on %s was one on %s", label, got)
		}
	}
	i.Click("five") // means nothing
	i.ClickID(4711)
	select {
	case a := <-p.Clicks():
		t.Error(a)
	default:
	}
}

func TestAClickDoesWhatThePersonRead(t *testing.T) {
	d := traytest.New(t)
	d.Watcher(true)
	p := open(t, d, picture(menu.On, "old", "kept"))
	i := d.Icon()
	old, _ := i.Find("old")
	kept, _ := i.Find("kept")
	p.Show(picture(menu.On, "new", "kept"))
	i.Await("new")
	i.ClickID(old.ID)
	if got := clicked(t, p); got != "old" {
		t.Error(got)
	}
	if now, _ := i.Find("kept"); now.ID != kept.ID {
		t.Error("an entry that stayed has another number")
	}
	if now, _ := i.Find("new"); now.ID == old.ID {
		t.Error("a number was used twice")
	}
}

func TestNoClickIsDropped(t *testing.T) {
	d := traytest.New(t)
	d.Watcher(true)
	p := open(t, d, picture(menu.On, "one"))
	i := d.Icon()
	e, _ := i.Find("one")
	const clicks = 500 // far more than wait in the panel
	d.Hammer(i, e.ID, clicks)
	for range clicks {
		clicked(t, p)
	}
}

func TestThereIsOneTrayASession(t *testing.T) {
	d := traytest.New(t)
	d.Watcher(true)
	open(t, d, picture(menu.On))
	if _, err := sni.Open(t.Context(), sni.Config{Address: d.Address}, picture(menu.On)); !errors.Is(err, tray.ErrRunning) {
		t.Error(err)
	}
}

func TestADesktopWithoutAPlaceIsSaid(t *testing.T) {
	d := traytest.New(t)
	_, err := sni.Open(t.Context(), sni.Config{Address: d.Address}, picture(menu.On))
	if !errors.Is(err, tray.ErrNoPlace) {
		t.Error(err)
	}
	if _, err := sni.Open(t.Context(), sni.Config{Address: "unix:path=/nonexistent/bus"}, picture(menu.On)); !errors.Is(err, tray.ErrNoSession) {
		t.Error(err)
	}
}

func TestAPanelThatComesLateGetsTheIcon(t *testing.T) {
	d := traytest.New(t)
	opened := make(chan error, 1)
	go func() {
		p, err := sni.Open(t.Context(), sni.Config{Address: d.Address, Wait: 20 * time.Second}, picture(menu.On, "one"))
		if err == nil {
			t.Cleanup(p.Close)
		}
		opened <- err
	}()
	d.Named("net.cvlan.Tray")
	d.Watcher(false) // no host yet
	d.HostComes()
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	d.Icon().Await("one")
}

func TestAPanelThatRestartsGetsTheIconAgain(t *testing.T) {
	d := traytest.New(t)
	d.Watcher(true)
	p := open(t, d, picture(menu.On, "one"))
	d.Icon()
	d.PanelGoes()
	p.Show(picture(menu.Off, "two"))
	d.Watcher(true)
	i := d.Icon()
	i.Await("two")
	if !slices.Equal(i.Pixmaps()[16], icon.ARGB(icon.Draw(menu.Off, 16))) {
		t.Error("the new panel was told of an old icon")
	}
}

func TestTheEndOfTheBusIsTheEnd(t *testing.T) {
	d := traytest.New(t)
	d.Watcher(true)
	p := open(t, d, picture(menu.On, "one"))
	d.Icon()
	d.Kill()
	select {
	case <-p.Gone():
	case <-time.After(time.Minute):
		t.Fatal("the panel does not notice")
	}
	if !errors.Is(p.Err(), tray.ErrEnded) {
		t.Error(p.Err())
	}
	p.Show(picture(menu.Off, "two")) // harmless
	p.Notify(menu.Notice{Title: "x"})
}

func TestOpenEndsWithItsContext(t *testing.T) {
	d := traytest.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sni.Open(ctx, sni.Config{Address: d.Address, Wait: time.Hour}, picture(menu.On)); err == nil {
		t.Error("it opened")
	}
}

func TestANoticeIsShownAndReplaced(t *testing.T) {
	d := traytest.New(t)
	d.Watcher(true)
	d.Notifications(true)
	p := open(t, d, picture(menu.On))
	p.Notify(menu.Notice{Key: "office", Title: "office is lost", Text: "<i>why</i>", Urgent: true})
	one := d.Note()
	if one.Title != "office is lost" || one.Text != "&lt;i&gt;why&lt;/i&gt;" || one.Urgency != 2 || one.Replaces != 0 {
		t.Errorf("%+v", one)
	}
	p.Notify(menu.Notice{Key: "office", Title: "office is back"})
	if two := d.Note(); two.Replaces != one.ID || two.Urgency != 1 {
		t.Errorf("%+v", two)
	}
	p.Notify(menu.Notice{Key: "lab", Title: "lab is lost"})
	if three := d.Note(); three.Replaces != 0 {
		t.Errorf("%+v", three)
	}
}

func TestADesktopWithoutNotificationsIsNoHarm(t *testing.T) {
	d := traytest.New(t)
	d.Watcher(true)
	p := open(t, d, picture(menu.On, "one"))
	i := d.Icon()
	for n := range 100 {
		p.Notify(menu.Notice{Key: fmt.Sprint(n), Title: "x"})
	}
	i.Click("one")
	clicked(t, p)
}

func TestOnlyWhatChangedIsTold(t *testing.T) {
	d := traytest.New(t)
	d.Watcher(true)
	signals := d.Signals()
	pic := picture(menu.On, "one", "two")
	p := open(t, d, pic)
	d.Icon()
	told := func(last string) string { // everything up to a signal
		var all []string
		for s := range signals {
			name := s.Name[strings.LastIndexByte(s.Name, '.')+1:]
			if name == last {
				break
			}
			all = append(all, name)
		}
		return strings.Join(all, " ")
	}
	p.Show(pic) // the same: nothing
	pic = picture(menu.On, "one", "two")
	pic.Entries[0].Label = "uno"
	p.Show(pic)
	pic.Title = "1"
	p.Show(pic)
	if got := told("NewToolTip"); got != "ItemsPropertiesUpdated" {
		t.Errorf("a label: %q", got)
	}
	pic = picture(menu.Off, "uno", "two")
	pic.Title = "1"
	p.Show(pic)
	pic.Title = "2"
	p.Show(pic)
	if got := told("NewToolTip"); got != "NewIcon LayoutUpdated" {
		t.Errorf("icon and entries: %q", got)
	}
}

// TestANewSubmenuIsToldInTwoSteps is what libdbusmenu needs, or it shows an empty one.
func TestANewSubmenuIsToldInTwoSteps(t *testing.T) {
	d := traytest.New(t)
	d.Watcher(true)
	p := open(t, d, picture(menu.On, "one"))
	i := d.Icon()
	signals := d.Signals()
	pic := picture(menu.On, "one")
	pic.Entries = append(pic.Entries, menu.Entry{Key: "sub", Label: "sub", Children: picture(menu.On, "two").Entries})
	p.Show(pic)
	for want := range 2 { // changed, and again
		for s := range signals {
			if strings.HasSuffix(s.Name, ".LayoutUpdated") {
				break
			}
		}
		if got := i.Below("sub"); got != want {
			t.Errorf("reading %d: %d entries in the submenu", want+1, got)
		}
	}
}

// TestWhoAsksForASubmenuKnowsIt is what Qt's panels do (KDE, LXQt): they read one level, and a submenu when it opens.
func TestWhoAsksForASubmenuKnowsIt(t *testing.T) {
	d := traytest.New(t)
	d.Watcher(true)
	pic := picture(menu.On, "one")
	pic.Entries = append(pic.Entries, menu.Entry{Key: "sub", Label: "sub", Children: picture(menu.On, "two", "three").Entries})
	open(t, d, pic)
	i := d.Icon()
	if top := i.Asked(0); top != 2 {
		t.Errorf("%d entries at the top", top)
	}
	if below := i.Asked(2); below != 2 { // numbers are given in order
		t.Errorf("%d entries below", below)
	}
}
