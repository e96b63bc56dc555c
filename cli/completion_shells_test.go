//go:build !windows

package cli_test

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/api/local"
)

// shells are how a person has each of them complete, and what it is started with so that nothing of this machine's own counts. What it is
// then told ends with a word that its prompt does not have, so that it is known to have been read.
var shells = []struct {
	name string
	args []string
	load string
}{
	{"bash", []string{"--norc", "--noprofile"}, "PS1='ready> '; source <(cvlan completion bash)"},
	{"zsh", []string{"-f"}, "PS1='ready> '; autoload -U compinit && compinit -u -d $HOME/dump; source <(cvlan completion zsh)"},
	{"fish", []string{"--no-config"}, "function fish_prompt; echo -n 'ready> '; end; cvlan completion fish | source"},
}

// TestShellsComplete presses the tab key in the shells themselves; one that is not installed is skipped. A hundred peers are there, and some have names
// of which a shell must not hear.
func TestShellsComplete(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, sh := range shells {
		t.Run(sh.name, func(t *testing.T) {
			path, err := exec.LookPath(sh.name)
			if err != nil {
				t.Skipf("%s is not installed here", sh.name)
			}
			dir := t.TempDir()
			if err := os.Symlink(self, filepath.Join(dir, "cvlan")); err != nil { // by its name it is the program
				t.Fatal(err)
			}
			d := startCrowd(t, 100)
			t.Setenv("PATH", dir+":/usr/bin:/bin")
			t.Setenv("CVLAN_SOCKET", d.socket)
			s := run(t, 120, 40, path, append([]string{sh.name}, sh.args...)...)
			s.press(" " + sh.load + "; echo lo''aded\r")
			s.wait("loaded")
			s.press("cvlan stat\t") // a command
			s.wait("cvlan status ")
			s.press("--ch\t") // a flag
			s.wait("--check")
			s.press("\x15cvlan ping print\t") // a peer that is alone so
			s.wait("cvlan ping printer")
			s.press("\x15cvlan ping node-9\t\t") // and several
			s.wait("node-91")
			s.press("\x03\x15cvlan ping evil\t\t\x15echo still he''re\r")
			s.wait("still here")
			s.press("cvlan up --network off\t")
			s.wait("--network office")
			d.stop()
			s.press("\x15cvlan ping pri\t\t\x15echo no''body\r") // without a daemon there is nothing, and not a word
			s.wait("nobody")
			for _, bad := range []string{"owned", "touched", "does not answer", "command not found", "no such file"} {
				if strings.Contains(strings.ToLower(s.text()), bad) || strings.Contains(s.written(), bad) {
					t.Errorf("%q is seen:\n%s", bad, s.text())
				}
			}
		})
	}
}

// startCrowd starts a daemon with so many peers, a printer, and some with names that are no names.
func startCrowd(t *testing.T, peers int) *daemon {
	t.Helper()
	d, err := startDaemon(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"printer", "evil;touched", "evil$(echo owned)", "evil`echo owned`", "evil name", "evil\x1b]0;owned\x07"}
	for i := range peers {
		names = append(names, fmt.Sprintf("node-%d", i))
	}
	n := local.Network{ID: "n1", Name: "office", State: local.Up}
	for i, name := range names {
		n.Peers = append(n.Peers, local.Peer{Node: local.Node{ID: fmt.Sprint(i), Name: name, Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 77, byte(i >> 8), byte(i)})}}, Online: true})
	}
	d.mu.Lock()
	d.now = local.Status{Schema: 1, Networks: []local.Network{n}}
	d.mu.Unlock()
	return d
}
