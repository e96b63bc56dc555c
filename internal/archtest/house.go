// Package archtest holds the plan of the house and the test that the code keeps to it: which room a package is, which floor a
// room is on, that imports go down only, that neighbours stay apart, and that the floors meant to be pure are.
package archtest

import "strings"

const module = "github.com/cvlan/cvlan"

// A floor may import the floors below it, that is, those that come later here.
type floor int

const (
	door floor = iota
	face
	part
	node
	sys
	api
	core
	proto
	base
	workshop // laboratory, simulation, tests: may import anything, nobody imports it but itself
)

// room is one row of the house table. A package belongs to the longest path that is a prefix of its own.
type room struct {
	path  string
	floor floor
	apart string // rooms of one floor with different values do not import each other; "" is nobody's neighbour
}

var house = []room{
	{"cmd", door, ""},
	{"cli", face, "cli"}, {"tui", face, "tui"}, {"tray", face, "tray"},
	{"daemon", part, "daemon"}, {"controller", part, "controller"}, {"relay", part, "relay"}, {"vrouter", part, "vrouter"},
	{"internal/node", node, ""},
	{"internal/sys/tun", sys, "tun"}, {"internal/sys/sock", sys, "sock"}, {"internal/sys/osnet", sys, "osnet"},
	{"internal/sys/svc", sys, "svc"}, {"internal/sys/quicx", sys, "quicx"}, {"internal/sys/stream", sys, "stream"},
	{"internal/sys/disk", sys, "disk"}, {"internal/sys/portmap", sys, "portmap"},
	{"internal/sys/xfrm", sys, "xfrm"}, {"internal/sys/sched", sys, "sched"},
	{"internal/sys/mark", sys, "mark"}, {"internal/sys/hostdns", sys, "hostdns"}, {"internal/sys/machine", sys, "machine"},
	{"api/local", api, "local"}, {"api/admin", api, "admin"},
	{"policy", core, ""}, {"internal/core", core, ""},
	{"proto/control", proto, "control"}, {"proto/relay", proto, "relay"}, {"proto/disco", proto, "disco"},
	{"internal/base", base, ""},
	{"internal/archtest", workshop, ""}, {"internal/lab", workshop, ""}, {"internal/sim", workshop, ""}, {"test", workshop, ""},
}

// edges are imports that the rules forbid and a reason allows, between rooms or between single packages.
var edges = map[string]string{
	"internal/sys/stream -> internal/sys/quicx": "QUIC streams use the shared profile",
	"internal/sys/osnet -> internal/sys/disk":   "the journal of what was done to the host is an atomic file",
	"internal/sys/hostdns -> internal/sys/disk": "the journal of what was done to the host is an atomic file",
	"internal/sys/osnet -> internal/sys/mark":   "rules tell the daemon's own packets by it",
	"internal/sys/portmap -> internal/sys/mark": "every socket of the daemon bears it",
	"internal/sys/sock -> internal/sys/mark":    "every socket of the daemon bears it",
	"internal/sys/stream -> internal/sys/mark":  "every socket of the daemon bears it",
	"internal/sys/xfrm -> internal/sys/mark":    "what the kernel seals bears it",
	"cli -> tui":                                "cvlan tui starts it",
	"cli -> internal/sys/svc":                   "cvlan service makes the daemon a service",
	"cli -> policy/acl":                         "cvlan policy check reads a document without a controller",
	"cli -> policy/explain":                     "cvlan policy test runs its tests without a controller",
	"cli -> policy/migrate":                     "cvlan policy import reads what other products write",
}

// faceFloors are the floors that a face may import: it knows only the two doors and base.
var faceFloors = map[floor]bool{face: true, api: true, base: true}

// impure are the imports that no package of a pure floor has.
var impure = []string{"net/http", "os", "os/exec", "log", "log/slog", "sync", "sync/atomic", "syscall", "golang.org/x/sys/unix", "database/sql", "context"}

func roomOf(pkg string) (room, bool) {
	rel := strings.TrimPrefix(strings.TrimPrefix(pkg, module), "/")
	var best room
	found := false
	for _, r := range house {
		if (rel == r.path || strings.HasPrefix(rel, r.path+"/")) && len(r.path) > len(best.path) {
			best, found = r, true
		}
	}
	return best, found
}
