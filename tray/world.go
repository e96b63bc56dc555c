package tray

import (
	"errors"
	"io/fs"
	"runtime"
	"strings"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/tray/menu"
)

// Bounds of foreign text, in runes.
const (
	maxName = 48
	maxText = 160
)

// news is a state of the daemon, or why there is none.
type news struct {
	status local.Status
	err    error
}

// world is what is known.
type world struct {
	known     bool // the daemon has answered, or failed to, at least once
	networks  []network
	away      error // why the daemon does not answer; nil: it does
	failed    *complaint
	autostart bool
	profiles  []string // logins to controllers, by name
	profile   string   // that commands use
}

// complaint is what came of a click that failed.
type complaint struct {
	what, hint string
	at         time.Time
}

// complain is how long a failed click stays in the menu.
const complain = time.Minute

func (w *world) take(n news) {
	w.known, w.away, w.networks = true, n.err, nil
	if n.err != nil { // what nobody vouches for is not shown
		return
	}
	for i := range n.status.Networks {
		w.networks = append(w.networks, digest(&n.status.Networks[i]))
	}
}

// stand judges all networks at once: the worst that concerns a person is shown, and networks that are switched off concern nobody.
func (w *world) stand() menu.Stand {
	switch {
	case !w.known:
		return menu.Connecting
	case w.away != nil:
		return menu.Warning
	case len(w.networks) == 0:
		return menu.Login
	}
	worst := menu.Off
	for i := range w.networks {
		if s := w.networks[i].stand(); weight[s] > weight[worst] {
			worst = s
		}
	}
	return worst
}

// weight orders stands by how much they concern a person.
var weight = map[menu.Stand]int{menu.Off: 0, menu.On: 1, menu.Relayed: 2, menu.Connecting: 3, menu.Warning: 4, menu.Login: 5}

func (n *network) stand() menu.Stand {
	switch n.State {
	case local.Down:
		return menu.Off
	case local.NeedsLogin:
		return menu.Login
	case local.Offline, local.Failed:
		return menu.Warning
	case local.Up:
		if n.Problem != nil || len(n.Warnings) > 0 {
			return menu.Warning
		}
		return n.paths()
	default: // starting, pending, or what a newer daemon says
		return menu.Connecting
	}
}

func name(s string) string { return clean.Line(s, maxName) }
func text(s string) string { return clean.Line(s, maxText) }

// explain puts an error into words: what failed and why, and what to do.
func explain(err error) (what, hint string) {
	var e *local.Error
	switch {
	case errors.As(err, &e):
		return text(e.Error()), text(e.Hint)
	case errors.Is(err, fs.ErrPermission):
		return "This user may not talk to the daemon", "become a member of the group cvlan"
	case errors.Is(err, local.ErrNoDaemon):
		return "The daemon does not answer", startIt()
	}
	what, hint, _ = strings.Cut(err.Error(), "; ")
	return text(what), text(hint)
}

// startIt is what to do when the daemon does not answer.
func startIt() string {
	switch runtime.GOOS {
	case "windows":
		return "start the service cvland"
	case "linux":
		return "start it: sudo systemctl start cvland"
	}
	return "start it in a terminal: sudo cvland"
}
