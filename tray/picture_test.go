package tray

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/tray/menu"
	"github.com/cvlan/cvlan/tray/traytest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// write writes a menu as people see it, each entry with what it does.
func write(entries []menu.Entry) string {
	var b strings.Builder
	var add func(all []menu.Entry, indent string)
	add = func(all []menu.Entry, indent string) {
		for _, e := range all {
			line := indent
			switch {
			case e.Kind == menu.Separator:
				line += "---"
			case e.Kind == menu.Check && e.Marked:
				line += "[x] "
			case e.Kind == menu.Check:
				line += "[ ] "
			case e.Disabled:
				line += "( ) "
			}
			b.WriteString(line + e.Label + does(e.Action) + "\n")
			add(e.Children, indent+"    ")
		}
	}
	add(entries, "")
	return b.String()
}

func does(a menu.Action) string {
	switch a.Verb {
	case menu.Up:
		return "  -> up " + a.Network
	case menu.Down:
		return "  -> down " + a.Network
	case menu.Copy:
		return "  -> copy " + a.Text
	case menu.Terminal:
		return "  -> terminal"
	case menu.Autostart:
		return "  -> autostart"
	case menu.Quit:
		return "  -> quit"
	}
	return ""
}

func worlds() map[string]world {
	with := func(all ...local.Network) (w world) {
		w.take(news{status: local.Status{Networks: all}})
		return w
	}
	relayed := member("office", local.Up)
	relayed.Peers = relayed.Peers[1:2]
	warned := traytest.Network("office", 30)
	warned.Warnings = []local.Problem{{Code: codeExpiring, What: "this node's certificate ends on 2026-12-01 and has not been renewed", Hint: "it renews itself when the controller can be reached"}}
	removed := member("office", local.NeedsLogin)
	removed.Problem = &local.Problem{Code: "removed", What: "an admin removed this node", Hint: "join again: cvlan up --key-file FILE"}
	return map[string]world{
		"asking": {}, "away": {known: true, away: errAway}, "none": with(), "one": with(member("office", local.Up)), "relayed": with(relayed),
		"two": with(warned, member("lab", local.Down)), "removed": with(removed), "pending": with(member("office", local.Pending)),
		"offline": with(member("office", local.Offline)), "off": with(member("office", local.Down)), "starting": with(member("office", local.Starting)),
	}
}

func TestMenus(t *testing.T) {
	for name, w := range worlds() {
		p := w.picture(time.Time{})
		got := p.Stand.String() + "\n" + p.Title + "\n" + p.Detail + "\n\n" + write(p.Entries)
		file := filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || string(want) != got {
			t.Errorf("%s: %v; go test ./tray -update writes it anew. Now:\n%s", name, err, got)
		}
	}
}

func TestEveryStandHasItsWorld(t *testing.T) {
	for name, want := range map[string]menu.Stand{
		"asking": menu.Connecting, "away": menu.Warning, "none": menu.Login, "one": menu.On, "relayed": menu.Relayed, "two": menu.Warning,
		"removed": menu.Login, "pending": menu.Connecting, "offline": menu.Warning, "off": menu.Off,
	} {
		if w := worlds()[name]; w.stand() != want {
			t.Errorf("%s: %s, not %s", name, w.stand(), want)
		}
	}
	var newer world
	newer.take(news{status: local.Status{Networks: []local.Network{{ID: "n", Name: "office", State: "hibernating"}}}})
	if newer.stand() != menu.Connecting || newer.title() != "office: hibernating" {
		t.Error("a state of a newer daemon:", newer.stand(), newer.title())
	}
}

// TestHostileNamesAreHarmlessAndBounded has everything that others can choose be as bad as it can.
func TestHostileNamesAreHarmlessAndBounded(t *testing.T) {
	evil := "a\x00\x1b[2J\u202e\n\t_&<b>" + string([]byte{0xff}) + strings.Repeat("x", 10_000)
	n := member(evil, local.State(evil))
	n.ID = evil
	n.Self.Name = evil
	n.Problem = &local.Problem{Code: evil, What: evil, Hint: evil}
	for range 200 {
		n.Warnings = append(n.Warnings, *n.Problem)
	}
	for i := range n.Peers {
		n.Peers[i].ID, n.Peers[i].Name, n.Peers[i].Path, n.Peers[i].Relay = evil, evil, local.PathRelay, evil
	}
	var w, before world
	w.take(news{status: local.Status{Networks: slices.Repeat([]local.Network{n}, 300)}})
	p := w.picture(time.Time{})
	count := 0
	var look func(all []menu.Entry)
	look = func(all []menu.Entry) {
		for _, e := range all {
			count++
			if harmful(e.Label) || utf8.RuneCountInString(e.Label) > 2*(maxName+maxText) {
				t.Errorf("%.80q", e.Label)
			}
			look(e.Children)
		}
	}
	look(p.Entries)
	if count > 400 || harmful(p.Title) || harmful(strings.ReplaceAll(p.Detail, "\n", "")) {
		t.Errorf("%d entries, title %.80q, detail %.80q", count, p.Title, p.Detail)
	}
	var ns notices
	before.take(news{status: local.Status{Networks: []local.Network{member("x", local.Up)}}})
	ns.take(time.Time{}, &before)
	for _, m := range ns.take(time.Time{}.Add(time.Hour), &w) {
		if harmful(m.Title) || harmful(strings.ReplaceAll(m.Text, "\n", "")) {
			t.Errorf("%.80q", m.Title)
		}
	}
}

func harmful(s string) bool {
	return strings.ContainsAny(s, "\x00\x1b\n\t\u202e") || !utf8.ValidString(s)
}

func TestKeysAreUnique(t *testing.T) {
	for name, w := range worlds() {
		seen := map[string]bool{}
		var look func(all []menu.Entry)
		look = func(all []menu.Entry) {
			for _, e := range all {
				if seen[e.Key] || e.Key == "" {
					t.Errorf("%s: key %q", name, e.Key)
				}
				seen[e.Key] = true
				look(e.Children)
			}
		}
		look(w.picture(time.Time{}).Entries)
	}
}

func TestFewPeersAreShownTheNearestFirst(t *testing.T) {
	n := traytest.Network("office", 500)
	d := digest(&n)
	all := d.peerEntries()
	if len(all) != maxPeers+2 || !strings.HasPrefix(all[0].Label, "● ") || !strings.Contains(all[maxPeers+1].Label, "480 more") {
		t.Error(write(all))
	}
}
