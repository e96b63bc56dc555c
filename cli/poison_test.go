package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/base/sse"
)

// poison is what others may have called anything: it names the window, writes backwards, breaks lines, is wide, combines and does not end.
var poison = "\x1b]0;owned\x07\u202ename\u2066\r\nFORGED\t漢字e\u0301\u009b31m\xff" + strings.Repeat("a", 4096)

// answersOf are what the daemon's operations answer with.
var answersOf = map[local.Route]any{
	local.GetStatus.Route: local.Status{}, local.WatchStatus.Route: local.Status{}, local.GetVersion.Route: local.About{}, local.GetWireGuard.Route: local.WireGuard{},
	local.PostPath.Route: local.PeerPath{}, local.PostReach.Route: local.Reach{}, local.PostPolicyLog.Route: local.PolicyLog{}, local.GetDNS.Route: local.DNS{}, local.PostDNSQuery.Route: local.DNSAnswers{}, local.GetNetCheck.Route: local.NetCheck{},
	local.PostPing.Route: local.Pong{}, local.GetLog.Route: local.Log{}, local.GetSettings.Route: local.Settings{}, local.PatchSettings.Route: local.Settings{},
	local.GetIPsec.Route: local.IPsec{}, local.PostIPsecRekey.Route: local.IPsecDone{}, local.PostIPsecTerminate.Route: local.IPsecDone{}, local.PostIPsecLog.Route: local.IPsecLog{},
	local.GetCertificates.Route: local.Certificates{}, local.PostRenew.Route: local.Renewed{}, local.PostUp.Route: local.Networks{}, local.PostDown.Route: local.Networks{},
	local.PostLogout.Route: local.LoggedOut{},
}

// poisoned fills a value: every text with poison, every list and map with one thing, and what is yes or no with yes.
func poisoned(v reflect.Value, yes bool) {
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.Now()
		return
	case *netip.Addr:
		*x = netip.MustParseAddr("10.9.0.3")
		return
	case *netip.AddrPort:
		*x = netip.MustParseAddrPort("203.0.113.7:41641")
		return
	case *netip.Prefix:
		*x = netip.MustParsePrefix("10.9.0.0/16")
		return
	case *local.State:
		*x = local.Up
		return
	case *json.RawMessage:
		*x = json.RawMessage("null")
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(poison)
	case reflect.Bool:
		v.SetBool(yes)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(1) // which is the schema too
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		poisoned(v.Elem(), yes)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		poisoned(v.Index(0), yes)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		poisoned(key, yes)
		poisoned(value, yes)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				poisoned(v.Field(i), yes)
			}
		}
	}
}

// poisonousDaemon answers everything with poison, or refuses everything with it.
func poisonousDaemon(t *testing.T, refuses bool) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cvlan") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, r := range local.Routes() {
		doc, ok := answersOf[r]
		if !ok {
			t.Fatalf("%s %s is not among the answers here", r.Method, r.Path)
		}
		v := reflect.New(reflect.TypeOf(doc)).Elem()
		poisoned(v, true)
		mux.HandleFunc(r.Method+" "+r.Path, func(w http.ResponseWriter, _ *http.Request) {
			switch {
			case refuses:
				refuse(w, local.CodeInvalid.Problem(poison, poison, poison))
			case r.Watch:
				w.Header().Set("Content-Type", sse.ContentType)
				_ = sse.Write(w, local.EventStatus, v.Interface())
			default:
				_ = json.NewEncoder(w).Encode(v.Interface())
			}
		})
	}
	s := &http.Server{Handler: mux}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { s.Close() })
	return l.Addr().String()
}

// talksTo are the arguments of the commands that talk with the daemon.
var talksTo = map[string]string{
	"up": "", "down": "", "logout": "--yes", "status": "", "ping": "-c 1 " + "NAME", "peers": "", "peers path": "NAME", "netcheck": "", "doctor": "", "ip": "", "wg show": "", "ipsec sas": "",
	"ipsec algs": "", "ipsec log": "", "ipsec rekey": "", "ipsec terminate": "NAME", "cert show": "", "cert renew": "", "metrics": "", "get": "", "set": "mtu 1400", "whoami": "", "whois": "NAME", "wait": "",
	"dns status": "", "dns query": "NAME", "route list": "", "route offer": "10.20.0.0/16", "route withdraw": "10.9.0.0/16", "exit list": "", "exit use": "NAME", "exit off": "", "exit offer": "", "exit withdraw": "", "network list": "", "network use": "NAME", "version": "", "policy log": "",
}

// elsewhere are those that do not, or that other tests look at.
var elsewhere = []string{"tui", "tray", "debug bundle", "service ", "completion", "help", "admin ", "profile ", "policy "}

// TestNobodyElseWritesToTheTerminal shows what a poisonous daemon says, by every command that talks with one: a new command has to be named above.
func TestNobodyElseWritesToTheTerminal(t *testing.T) {
	sockets := []string{poisonousDaemon(t, false), poisonousDaemon(t, true)}
	for _, c := range leaves(t) {
		path := strings.TrimPrefix(c.CommandPath(), "cvlan ")
		args, ok := talksTo[path]
		if !ok {
			known := false
			for _, e := range elsewhere {
				known = known || strings.HasPrefix(path+" ", e)
			}
			if !known {
				t.Errorf("cvlan %s is in neither list of this test", path)
			}
			continue
		}
		t.Run(path, func(t *testing.T) {
			for _, socket := range sockets {
				for _, width := range []int{0, 40, 80, 200} {
					line := strings.Fields(path + " " + args)
					for i := range line {
						line[i] = strings.Replace(line[i], "NAME", poison, 1)
					}
					display(t, socket, width, line)
				}
			}
		})
	}
	for _, line := range [][]string{{"__complete", "ping", ""}, {"__complete", "network", "use", ""}, {"__complete", "get", ""}, {"__complete", "up", "--network", ""}} {
		display(t, sockets[0], 0, line)
	}
}

// display runs a command line as if on a terminal without colour, where nothing may move a cursor or begin a line but the program.
func display(t *testing.T, socket string, width int, line []string) {
	t.Helper()
	show(t, "", map[string]string{"CVLAN_SOCKET": socket}, width, line)
}

// wordless are commands that have nothing to say when all is well, or when what they got makes no sense.
var wordless = []string{"__complete", "wait", "admin ca install"}

// show is display in an environment; how is what is special about it.
func show(t *testing.T, how string, environment map[string]string, width int, line []string) {
	t.Helper()
	var out, errs bytes.Buffer
	env := &cli.Env{IO: &iox.IO{In: strings.NewReader(""), Out: &out, Err: &errs, OutTTY: true, ErrTTY: true, Dumb: true, Width: width}, Now: time.Now, Host: blind{},
		Getenv: func(name string) string { return environment[name] }}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	code := cli.Run(ctx, env, line)
	if code == int(iox.Skew) || strings.Contains(errs.String(), "cannot unmarshal") {
		t.Errorf("%s %.40q does not read what it is told: %.200q", how, line, errs.String())
	}
	documents := slices.Contains([]string{"policy show", "policy diff", "admin export"}, strings.Join(line[:min(2, len(line))], " ")) // their lines are not the program's
	for _, s := range []string{out.String(), errs.String()} {
		if strings.ContainsAny(s, "\x1b\x07\r\u202e\u2066\u009b") || !utf8.ValidString(s) || !documents && (strings.HasPrefix(s, "FORGED") || strings.Contains(s, "\nFORGED")) {
			t.Errorf("%s %.40q at width %d: %.300q", how, line, width, s)
		}
	}
	quiet := slices.ContainsFunc(wordless, func(c string) bool { return strings.HasPrefix(strings.Join(line, " "), c) })
	if out.Len()+errs.Len() == 0 && !quiet {
		t.Errorf("%s %.40q says nothing", how, line)
	}
}
