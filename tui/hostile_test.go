package tui

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/clean"
)

// evils are what others may call themselves.
var evils = []string{
	"\x1b]0;owned\x07\u202ename\nsecond\x9b31m", "\x1b]52;c;cm0gLXJm\x07", "broken\xff\xfe tab\there\r\nnl", "c1\u009b2Jx pay\u202eexe.txt", "\u0301\u0302\u0303",
	"e" + strings.Repeat("\u0316", 200), strings.Repeat("界", 255), "👩‍💻🇩🇪👍🏽 שלום-ערוץ", "", "\u2800 \u3164", "नमस्ते กำ 각", strings.Repeat("W", 5000),
}

// spoiler fills every string that it finds in a value with one name after the other.
type spoiler struct {
	keep []string // fields that stay as they are
	next int
}

func (s *spoiler) evil() string {
	s.next++
	return evils[s.next%len(evils)]
}

func (s *spoiler) all(values ...any) {
	for _, v := range values {
		s.spoil(reflect.ValueOf(v).Elem())
	}
}

func (s *spoiler) spoil(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			s.spoil(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			s.spoil(v.Index(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			value := reflect.New(v.Type().Elem()).Elem()
			value.Set(v.MapIndex(k))
			s.spoil(value)
			v.SetMapIndex(k, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && !slices.Contains(s.keep, f.Name) {
				s.spoil(v.Field(i))
			}
		}
	case reflect.String:
		v.SetString(s.evil())
	}
}

var ownStyle = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// harmless checks that of what is on the screen and on the clipboard a terminal obeys the interface's own styles alone.
func (s *stage) harmless(t *testing.T, after any) {
	t.Helper()
	fits(t, s)
	for _, l := range append(strings.Split(ownStyle.ReplaceAllString(s.View().Content, ""), "\n"), s.copied) {
		if l != clean.Line(l, 10_000) {
			t.Errorf("after %q: %q", after, l)
		}
	}
}

// hostileOffice is a stage on which everything that has a name has another one, and everything fails with such words.
func hostileOffice(width, height, turn int, keep ...string) *stage {
	s := newStage(width, height, true)
	s.leave()
	s.deny()
	s.staff()
	s.spoil()
	s.speakIPsec()
	s.ruler.nodes[0].Attributes = map[string]string{"node:os": "", "custom:x": ""}
	n := &s.twin.status.Networks[0]
	n.Problem, n.Relay = &local.Problem{}, &local.OwnRelay{}
	n.Exit.Node = n.Exits[0].Name
	e := spoiler{keep: append(keep, "ID"), next: turn}
	e.all(&s.twin.status, &s.twin.path, &s.twin.reach, &s.twin.ipsec, &s.twin.log, &s.twin.check, &s.twin.found, &s.twin.names, &s.ruler.nodes, &s.ruler.keys, &s.config.Logins)
	s.twin.found.Root = true
	for i := range n.Exits {
		n.Exits[i].Name = n.Peers[i].Name
	}
	s.twin.refused = local.CodePermission.Problem(e.evil(), e.evil(), e.evil())
	s.ruler.err = &admin.Problem{Title: e.evil(), Detail: e.evil(), Hint: e.evil()}
	s.config.NoController = "nobody is logged in"
	return s
}

// TestHostileNamesAreHarmless goes through every screen and dialog with names that terminals obey, that are not seen, or that take much room.
func TestHostileNamesAreHarmless(t *testing.T) {
	states := []string{"State", "Path", "Kind", "Direction", "Severity", "Code"} // words that mean something to the interface, at first
	for turn := range evils {
		keep, size := [][]string{states, nil}[turn%2], [][2]int{{60, 20}, {140, 44}}[turn/2%2]
		s := hostileOffice(size[0], size[1], turn, keep...)
		s.hear()
		s.pass(0)
		for _, keys := range [][]string{{"1"}, {"c"}, {"C"}, {"enter"}, {"p"}, {"end"}, {"esc", "down", "enter"}, {"x"}, {"y"}, {"esc", "/", "e"}, {"esc", "2"}, {"n"}, {"end"}, {"f"}, {"y"}, {"3"}, {"enter"}, {"esc", "4"},
			{"5", "down"}, {"c"}, {"x"}, {"down", "enter"}, {"y"}, {"d"}, {"y"}, {"6"}, {"esc", "x"}, {"7"}, {"R"}, {"a"}, {"s"}, {"y"}, {"t"}, {"enter"}, {"r"}, {"z", "enter"}, {"v"}, {"enter"}, {"esc", "x"}, {"y"}, {"enter"}, {"end"},
			{"L"}, {"down"}, {"enter"}, {"8"}, {"x"}, {"y"}, {"n"}, {"enter"}, {"esc", "1", "e"}} {
			s.press(keys...)
			s.harmless(t, keys)
		}
		s.ruler.err = nil
		s.press("esc", "7", "R", "8", "R", "1", "e") // and where nothing fails
		s.harmless(t, "policy")
		for _, keys := range [][]string{{"esc", "7", "enter"}, {"end"}, {"esc", "v"}, {"esc", "8", "n"}, {"enter"}, {"esc"}} {
			s.press(keys...)
			s.pass(0)
			s.harmless(t, keys)
		}
		s.twin.status.Networks[0].Peers = nil
		s.pass(0)
		s.press("4")
		s.harmless(t, "log")
	}
}

func TestWhatHasNoNameIsCalledByItsIdentifier(t *testing.T) {
	s := newStage(140, 30, true)
	s.staff()
	n := &s.twin.status.Networks[0]
	n.Name, n.Peers[0].Name, s.ruler.nodes[0].Name = "", " ", ""
	s.hear()
	s.wants(t, "n1 up", "● b1 ")
	s.press("7", "home")
	for range s.nodes.nodes {
		if s.nodes.current().Name == "" {
			break
		}
		s.press("down")
	}
	s.press("x")
	s.wants(t, "Remove "+s.nodes.current().ID.String()+" from office?")
}

// TestAnswersAreSeenHoweverLowTheTerminal asks what takes many lines on terminals that have few.
func TestAnswersAreSeenHoweverLowTheTerminal(t *testing.T) {
	long := strings.Repeat("a question of many words ", 20)
	for name, a := range map[string]action{
		"yes":   ask{question: long, lines: []string{long, long}},
		"enter": request{title: long, text: "typed", lines: keyWords, then: func(string) action { return nil }},
		"takes": choose{title: long, choices: strings.Fields(long), at: 40, then: func(int) action { return nil }},
	} {
		for _, width := range []int{36, 60, 200} {
			for height := 5; height < 30; height++ {
				s := newStage(width, height, true)
				s.hear()
				s.do(a)
				fits(t, s)
				s.wants(t, name)
				switch name {
				case "enter":
					s.wants(t, "› typed")
				case "takes":
					s.wants(t, "▌ "+strings.Fields(long)[40])
				}
				s.click(t, name)
				if s.dialog != nil {
					t.Errorf("%d×%d: a click on %q does not answer", width, height, name)
				}
			}
		}
	}
}

func TestBesideADialogNothingIsHit(t *testing.T) {
	s := newStage(120, 30, false)
	s.leave()
	s.hear()
	s.press("5", "down", "x")
	for y, l := range strings.Split(s.screen(), "\n") {
		if strings.Contains(l, "web-10") {
			s.clickAt(1, y)
			s.clickAt(118, y)
		}
	}
	s.wants(t, "Through which machine to the internet?")
	s.send(tea.MouseWheelMsg{Button: tea.MouseWheelDown})
	s.click(t, "web-10")
	s.wants(t, "Send all that is for the internet through web-10?")
}

func TestLongNamesLeaveRoomForWhatIsSaidOfThem(t *testing.T) {
	s := newStage(100, 30, false)
	s.leave()
	s.twin.status.Networks[0].Exits[1].Name = strings.Repeat("w", 300)
	s.hear()
	s.press("5", "down", "x")
	s.wants(t, "in use, IPv4 alone", "not allowed by policy", "offline")
}

// TestTheKeyThatIsRevokedIsTheOneThatWasChosen has a key come while somebody looks at the list.
func TestTheKeyThatIsRevokedIsTheOneThatWasChosen(t *testing.T) {
	s := newStage(100, 30, true)
	s.staff()
	s.hear()
	s.press("8")
	want := s.keys.keys[0].ID.String()
	s.ruler.keys = append(s.ruler.keys, admin.JoinKey{ID: 9 << 50, NetworkName: "office", State: "valid", Created: noon.Add(time.Hour)})
	s.press("R", "x")
	s.wants(t, "Revoke the key "+want+" of office?")
	s.press("y")
	s.did(t, "revoke "+want)
	for range keyOrders {
		s.press("o")
		if got := s.keys.keys[s.keys.list.at].ID.String(); got != want {
			t.Errorf("sorted otherwise the cursor is on %s", got)
		}
	}
}
