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
	for name, text := range map[string]string{"p.hujson": "{}", "t.toml": "", "a.csr": "-----BEGIN CERTIFICATE REQUEST-----"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, socket, calls
}

// waiting are command lines that wait for somebody. DIR is the folder of silent.
var waiting = []string{
	"up", "up --key-file DIR/join.key", "down", "logout --yes", "status", "status --watch", "wait", "wait peer db", "ping db", "peers", "peers path db", "peers path db --watch",
	"netcheck", "doctor", "get", "set mtu 1400", "ip", "wg show", "ipsec sas", "ipsec log --follow", "ipsec rekey", "cert show", "cert renew", "metrics", "whoami", "whois db",
	"policy log", "policy log --follow", "network list", "network use office", "debug bundle", "debug bundle -o b.tgz --json",
	"admin login --key-file DIR/admin.key", "admin whoami", "admin node list", "admin node delete db --yes", "admin audit", "admin apply -f DIR/t.toml", "admin export", "admin export -o out.toml",
	"admin key create --network office --out new.key", "admin api-key create ci --role auditor --out ci.key", "admin relay create fra-1", "admin peer create phone --network office --node db --export wg-quick --out phone.conf",
	"admin ca issue gate --csr DIR/a.csr --dns a.org", "admin ca crl --out list.crl", "policy set DIR/p.hujson --network office", "policy edit --network office", "policy show --network office",
	"ipsec algs", "ipsec terminate db", "route list", "route offer 10.20.0.0/16", "route withdraw 10.20.0.0/16", "exit list", "exit use db", "exit off", "exit offer", "exit withdraw", "dns status", "dns query web-1", "profile add work --key-file DIR/admin.key",
	"policy test DIR/p.hujson --network office", "policy diff DIR/p.hujson --network office", "policy whatif DIR/p.hujson --network office", "policy explain laptop db:22 --network office",
	"policy rollback 1 --network office --yes", "policy history --network office", "policy status --network office",
	"admin ca show", "admin ca request", "admin ca install DIR/a.csr", "admin ca list", "admin ca revoke 1a --yes", "admin ca rotate begin", "admin ca rotate status", "admin ca rotate finish --yes",
	"admin api-key list", "admin api-key revoke ci", "admin key list", "admin key revoke ci", "admin tenant create acme", "admin tenant list",
	"admin group create ops", "admin group list", "admin group show ops", "admin group add ops ann", "admin group remove ops ann", "admin group delete ops --yes",
	"admin user create ann", "admin user list", "admin user show ann", "admin user set ann --role admin", "admin user delete ann --yes",
	"admin network create plant", "admin network list", "admin network show office", "admin network open office --yes", "admin network close office --yes", "admin network set office --protocol any",
	"admin network delete office --yes", "admin node show db", "admin node approve db", "admin node suspend db", "admin node rename db web", "admin node tag db web", "admin node untag db web",
	"admin peer list", "admin peer show phone", "admin peer delete phone --yes", "admin relay list", "admin relay show fra-1", "admin relay usage", "admin relay delete fra-1 --yes",
	"admin route list", "admin route approve db 10.20.0.0/16", "admin route revoke db 10.20.0.0/16",
}

// blind is a machine of which nothing is known.
type blind struct{ doctor.Host }

func (blind) Look(context.Context, []doctor.Route) doctor.HostFacts { return doctor.HostFacts{} }
func (blind) Journal(context.Context) string                        { return "" }

// alone is the environment of a command that meets nobody but who is silent.
func alone(io *iox.IO, dir, socket string) *cli.Env {
	return &cli.Env{IO: io, Now: time.Now, Host: blind{}, Getenv: func(name string) string {
		switch name {
		case "CVLAN_SOCKET":
			return socket
		case "CVLAN_ADMIN_KEY_FILE":
			return filepath.Join(dir, "admin.key")
		}
		return ""
	}}
}

// words are those of a line of waiting.
func words(line, dir string) []string { return strings.Fields(strings.ReplaceAll(line, "DIR", dir)) }

// TestCtrlCEndsWhatWaits presses ctrl-C while a command waits for somebody who does not answer: it ends at once with 130, says nothing false,
// and leaves no file.
func TestCtrlCEndsWhatWaits(t *testing.T) {
	dir, socket, called := silent(t)
	work := filepath.Join(dir, "work")
	for _, line := range waiting {
		t.Run(line, func(t *testing.T) {
			if err := os.Mkdir(work, 0o700); err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(work)
			t.Chdir(work)
			ctx, press := context.WithCancel(t.Context())
			var out, errs bytes.Buffer
			env := alone(&iox.IO{In: strings.NewReader(""), Out: &out, Err: &errs}, dir, socket)
			go func() {
				select {
				case <-called:
				case <-ctx.Done(): // it called nobody
				}
				press()
			}()
			if got := cli.Run(ctx, env, words(line, dir)); got != int(iox.Interrupted) {
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
