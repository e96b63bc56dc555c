package cli_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/cli"
	"github.com/cvlan/cvlan/cli/doctor"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
)

// silence listens, answers nobody, and tells each time that somebody has called.
func silence(t *testing.T, network, address string, called chan<- struct{}) (addr string) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			select {
			case called <- struct{}{}:
			default:
			}
		}
	}()
	return l.Addr().String()
}

// silent is a daemon and a controller that take every call and answer none, with a folder in which the keys to them are.
func silent(t *testing.T) (dir, socket string, called <-chan struct{}) {
	t.Helper()
	dir, err := os.MkdirTemp("", "cvlan") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	calls := make(chan struct{}, 1)
	socket = silence(t, "unix", filepath.Join(dir, "s"), calls)
	controller := silence(t, "tcp", "127.0.0.1:0", calls)
	for kind, name := range map[ticket.Kind]string{ticket.Join: "join.key", ticket.Admin: "admin.key"} {
		text, err := ticket.Ticket{Kind: kind, Addrs: []string{controller}, ID: 1, Secret: key.NewSecret()}.Encode()
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir, socket, calls
}

// blind is a machine of which nothing is known.
type blind struct{ doctor.Host }

func (blind) Look(context.Context, []doctor.Route) doctor.HostFacts { return doctor.HostFacts{} }
func (blind) Journal(context.Context) string                        { return "" }

// TestCtrlCEndsWhatWaits presses ctrl-C while a command waits for somebody who does not answer: it ends at once with 130, says nothing false,
// and leaves no file.
func TestCtrlCEndsWhatWaits(t *testing.T) {
	dir, socket, called := silent(t)
	for name, text := range map[string]string{"p.hujson": "{}", "t.toml": "", "a.csr": "-----BEGIN CERTIFICATE REQUEST-----"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	work := filepath.Join(dir, "work")
	for _, line := range []string{
		"up", "up --key-file ../join.key", "down", "logout --yes", "status", "status --watch", "wait", "wait peer db", "ping db", "peers", "peers path db", "peers path db --watch",
		"netcheck", "doctor", "get", "set mtu 1400", "ip", "wg show", "ipsec sas", "ipsec log --follow", "ipsec rekey", "cert show", "cert renew", "metrics", "whoami", "whois db",
		"policy log", "policy log --follow", "network list", "network use office", "debug bundle", "debug bundle -o b.tgz --json",
		"admin login --key-file ../admin.key", "admin whoami", "admin node list", "admin node delete db --yes", "admin audit", "admin apply -f ../t.toml", "admin export", "admin export -o out.toml",
		"admin key create --network office --out new.key", "admin api-key create ci --role auditor --out new.key", "admin relay create fra-1", "admin peer create phone --network office --node db --export wg-quick --out phone.conf",
		"admin ca issue gate --csr ../a.csr --dns a.org", "admin ca crl --out list.crl", "policy set ../p.hujson --network office", "policy edit --network office", "policy show --network office",
	} {
		t.Run(line, func(t *testing.T) {
			if err := os.Mkdir(work, 0o700); err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(work)
			t.Chdir(work)
			ctx, press := context.WithCancel(t.Context())
			var out, errs bytes.Buffer
			env := &cli.Env{IO: &iox.IO{In: strings.NewReader(""), Out: &out, Err: &errs}, Now: time.Now, Host: blind{}, Getenv: func(name string) string {
				switch name {
				case "CVLAN_SOCKET":
					return socket
				case "CVLAN_ADMIN_KEY_FILE":
					return "../admin.key"
				}
				return ""
			}}
			go func() {
				<-called
				press()
			}()
			if got := cli.Run(ctx, env, strings.Fields(line)); got != int(iox.Interrupted) {
				t.Errorf("exit code %d, want %d", got, iox.Interrupted)
			}
			if out.Len() > 0 || errs.Len() > 0 {
				t.Errorf("it said %q and %q", out.String(), errs.String())
			}
			if left, err := filepath.Glob("*"); err != nil || len(left) > 0 {
				t.Errorf("it left %v", left)
			}
			press()
		})
	}
}
