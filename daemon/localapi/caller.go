package localapi

import (
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"

	"github.com/cvlan/cvlan/api/local"
)

// caller is who connected, as the kernel attests it.
type caller struct {
	uid    uint32
	groups []uint32 // primary and supplementary
	known  bool     // false where the system does not tell
}

// none is the level of callers who may do nothing at all.
const none local.Level = ""

// rank orders the levels.
var rank = map[local.Level]int{none: 0, local.Read: 1, local.Operate: 2, local.Admin: 3}

// level says what a caller may do. Groups are looked up each time: whoever is added to the group need not restart the daemon.
func (s *Server) level(c caller) local.Level {
	switch {
	case !c.known:
		return none
	case c.uid == 0 || int64(c.uid) == int64(os.Geteuid()):
		return local.Admin
	case s.inGroup(c):
		return local.Operate
	case s.cfg.ReadGroup:
		return none
	default:
		return local.Read
	}
}

func (s *Server) inGroup(c caller) bool {
	g, err := user.LookupGroup(s.cfg.Group)
	if err != nil {
		return false
	}
	gid, err := strconv.ParseUint(g.Gid, 10, 32)
	return err == nil && slices.Contains(c.groups, uint32(gid))
}

// callerOf asks the system who is at the other end.
func callerOf(c net.Conn) (caller, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return caller{}, errNotLocal
	}
	return peerOf(u)
}
