package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/cvlan/cvlan/api/local"
)

// Judge says what the facts mean, the worst first.
func Judge(f *Facts) Report {
	j := &judge{Facts: f}
	if f.Silence != nil {
		j.silence()
	} else {
		j.versions()
		j.rights()
		j.networks()
		j.internet()
	}
	j.host()
	weight := map[Severity]int{Error: 0, Warning: 1, Note: 2}
	slices.SortStableFunc(j.found, func(a, b Finding) int { return cmp.Compare(weight[a.Severity], weight[b.Severity]) })
	return Report{Findings: append([]Finding{}, j.found...), Skipped: f.Skipped}
}

type judge struct {
	*Facts
	found []Finding
}

func (j *judge) add(f Finding) { j.found = append(j.found, f) }

// silence says why the daemon does not answer.
func (j *judge) silence() {
	var refused *local.Error
	switch {
	case errors.As(j.Silence, &refused) && refused.Code == local.CodePermission, errors.Is(j.Silence, fs.ErrPermission):
		j.add(Finding{Code: "socket-permission", Severity: Error, What: "this user may not talk to the daemon", Why: j.Silence.Error(), Hint: j.join()})
	case errors.As(j.Silence, &refused):
		j.add(Finding{Code: "daemon-fails", Severity: Error, What: "the daemon cvland answers with an error", Why: refused.Error(), Hint: refused.Hint})
	case !errors.Is(j.Silence, local.ErrNoDaemon):
		j.add(Finding{Code: "daemon-fails", Severity: Error, What: "the daemon cvland does not answer in time", Why: j.Silence.Error(),
			Hint: "see what it says: sudo journalctl -u cvland -n 50"})
	default:
		j.down()
	}
}

// down says what to do when there is no daemon at all.
func (j *judge) down() {
	f := Finding{Code: "daemon-down", Severity: Error, What: "the daemon cvland does not run", Why: j.Silence.Error()}
	h := &j.Host
	switch {
	case h.Unit == "active":
		f.What = "the service cvland runs, but does not answer at this socket"
		f.Hint = "does it listen elsewhere? compare --socket and CVLAN_SOCKET with the daemon's settings: systemctl cat cvland"
	case h.Unit == "activating": // for a moment at each start: one that is seen so ends and is started, again and again
		f.What, f.Why = "the service cvland does not stay up", cmp.Or(h.Said, f.Why)
		f.Hint = "see why: sudo journalctl -u cvland -n 30   (systemd starts it again every two seconds)"
	case h.Unit == "failed":
		f.What, f.Why = "the service cvland has failed", cmp.Or(h.Said, f.Why)
		f.Hint = "see why: sudo journalctl -u cvland -n 30\nthen: sudo systemctl restart cvland"
		f.Cure = []string{"systemctl", "restart", "cvland"}
	case h.Unit != "":
		f.Why = "its service is " + h.Unit
		f.Hint = "sudo systemctl enable --now cvland"
		f.Cure = []string{"systemctl", "start", "cvland"}
	case h.Program == "":
		f.What = "the daemon cvland is not installed"
		f.Hint = "install it beside cvlan; cvlan alone can only look after controllers"
	default:
		f.Hint = "run it as a service: sudo cvlan service install\nor in a terminal: sudo " + h.Program
	}
	if h.shut() {
		f.Why += "; it has left the door shut, so that nothing leaves beside the exit that was in use"
		f.Hint += "\nto open it without the daemon: sudo cvland --cleanup"
	}
	j.add(f)
}

// join is how this user becomes an operator.
func (j *judge) join() string {
	h := &j.Host
	switch {
	case h.Listed:
		return "this user is in the group cvlan, but this session is older than that: log out and in again"
	case h.Group:
		return fmt.Sprintf("use sudo, or for good: sudo usermod -aG cvlan %s   (then log in again)", h.User)
	default:
		return fmt.Sprintf("use sudo, or for good: sudo groupadd --system cvlan && sudo usermod -aG cvlan %s   (then log in again)", h.User)
	}
}

// versions compares the two programs.
func (j *judge) versions() {
	if c, d := j.Client.Version, j.Status.Daemon.Version; c != d {
		j.add(Finding{Code: "daemon-version", Severity: Warning, What: fmt.Sprintf("cvlan is version %s, and the daemon that runs is %s", c, d),
			Why: "one of the two was updated without the other, or the daemon has not been started anew since", Hint: "sudo systemctl restart cvland   (connections in the networks pause for a second)"})
	}
}

// rights says that an ordinary user does not see everything.
func (j *judge) rights() {
	if j.Tunnels == nil && !j.Host.Root {
		j.add(Finding{Code: "operator-rights", Severity: Note, What: "this user may read the state, and no more; some checks were left out", Hint: "sudo cvlan doctor\n" + j.join()})
	}
}

// host says what of this machine stands in the way.
func (j *judge) host() {
	h := &j.Host
	switch h.TUN {
	case "missing":
		j.add(Finding{Code: "no-tun", Severity: Error, What: "this machine has no TUN devices: no /dev/net/tun", Why: "the kernel's module is not loaded, or this is a container without the device",
			Hint: "sudo modprobe tun\nin a container: --device /dev/net/tun --cap-add NET_ADMIN", Cure: []string{"modprobe", "tun"}})
	case "forbidden":
		j.add(Finding{Code: "tun-permission", Severity: Error, What: "even root may not use /dev/net/tun", Why: "the device is closed to this container, or a security module forbids it",
			Hint: "in a container: --device /dev/net/tun --cap-add NET_ADMIN"})
	}
	if h.NoNetAdmin {
		j.add(Finding{Code: "no-net-admin", Severity: Error, What: "even root may not make network interfaces here", Why: "CAP_NET_ADMIN is missing, as in most containers", Hint: "start the container with --cap-add NET_ADMIN --device /dev/net/tun"})
	}
	if built := j.Client.Built; j.Now.Before(built) {
		j.add(Finding{Code: "clock-wrong", Severity: Error, What: "this machine's clock shows " + j.Now.UTC().Format("2006-01-02 15:04") + ", which is before this program was built",
			Hint: j.setClock()})
	}
}

func (j *judge) setClock() string {
	if j.Host.Systemd {
		return "sudo timedatectl set-ntp true"
	}
	return "set it, and have it follow a time server"
}
