package cli_test

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/sse"
	"github.com/cvlan/cvlan/internal/base/version"
)

// daemon is a daemon that does what a script says.
type daemon struct {
	socket string
	server *http.Server
	done   chan error
	asked  *os.File // what it was asked, a line each

	mu       sync.Mutex
	now      local.Status
	tunnels  json.RawMessage // what wg show is answered
	cert     json.RawMessage // what cert show is answered
	left     json.RawMessage // and logout
	renewed  json.RawMessage // and cert renew
	ipsec    json.RawMessage // what every operation of ipsec is
	path     json.RawMessage
	check    json.RawMessage // what netcheck is answered
	names    json.RawMessage // what dns is
	lookup   json.RawMessage // and a query
	settings []local.Setting
	denials  json.RawMessage // what policy log is answered
	log      json.RawMessage // what log is answered
	later    json.RawMessage // and when it asks again; nil: the daemon has gone
	then     []local.Status  // what a watch shows next
	refusal  *local.Error
	busy     bool // somebody else watches
	member   bool // it joins nothing anew
	brief    bool // watches end when there is nothing more to show
}

func startDaemon(work string) (*daemon, error) {
	dir, err := os.MkdirTemp("", "cvland") // the path of a socket must be short
	if err != nil {
		return nil, err
	}
	d := &daemon{socket: filepath.Join(dir, "s"), done: make(chan error, 1)}
	if d.asked, err = os.Create(filepath.Join(work, "asked")); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", d.socket)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for _, r := range local.Routes() {
		mux.HandleFunc(r.Method+" "+r.Path, d.serve(r))
	}
	d.server = &http.Server{Handler: mux}
	go func() { d.done <- d.server.Serve(l) }()
	return d, nil
}

func (d *daemon) stop() {
	d.server.Close()
	<-d.done
	d.asked.Close()
	os.RemoveAll(filepath.Dir(d.socket))
}

func (d *daemon) serve(r local.Route) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		if r.Watch {
			if d.watch(w) {
				<-req.Context().Done()
			}
			return
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.refusal != nil {
			refuse(w, d.refusal)
			return
		}
		var in map[string]any
		if json.NewDecoder(req.Body).Decode(&in) == nil {
			b, _ := json.Marshal(in)
			d.asked.WriteString(r.Path + " " + string(b) + "\n")
		}
		if in["since"] != nil && d.later == nil {
			refuse(w, local.CodeUnreachable.Problem("do that", "the daemon is stopping", ""))
			return
		}
		json.NewEncoder(w).Encode(d.answer(r, in))
	}
}

func refuse(w http.ResponseWriter, e *local.Error) {
	w.Header().Set("Content-Type", local.ProblemType)
	w.WriteHeader(e.Status)
	json.NewEncoder(w).Encode(e)
}

// watch sends the state of now and those that follow, and reports whether the stream then stays open.
func (d *daemon) watch(w http.ResponseWriter) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy {
		refuse(w, local.CodeBusy.Problem("watch the status", "this user already has a watch", "end the other first"))
		return false
	}
	w.Header().Set("Content-Type", sse.ContentType)
	sse.Write(w, local.EventStatus, d.now)
	for _, s := range d.then {
		sse.Write(w, local.EventStatus, s)
		d.now = s
	}
	d.then = nil
	w.(http.Flusher).Flush()
	return !d.brief
}

func (d *daemon) answer(r local.Route, in map[string]any) any {
	switch r.Path {
	case local.PostPing.Path:
		return d.pong(in["peer"])
	case local.PostUp.Path, local.PostDown.Path:
		return local.Networks{Schema: local.Schema, Networks: d.now.Networks, Unused: d.member && in["join_key"] != nil}
	case local.GetWireGuard.Path:
		return d.tunnels
	case local.GetIPsec.Path, local.PostIPsecRekey.Path, local.PostIPsecTerminate.Path, local.PostIPsecLog.Path:
		return d.ipsec
	case local.GetCertificates.Path:
		return d.cert
	case local.PostLogout.Path:
		return d.left
	case local.PostRenew.Path:
		return d.renewed
	case local.PostPath.Path:
		return d.path
	case local.GetNetCheck.Path:
		return d.check
	case local.GetDNS.Path:
		return d.names
	case local.PostDNSQuery.Path:
		return d.lookup
	case local.GetLog.Path:
		return d.log
	case local.PostPolicyLog.Path:
		said := d.denials
		if in["since"] != nil {
			said, d.later = d.later, nil
		}
		return said
	case local.GetSettings.Path:
		return d.set(in["values"])
	case local.GetVersion.Path:
		return local.About{Schema: local.Schema, Daemon: version.Info{Version: "1.2.3", Go: "go1.26"}}
	default:
		was := d.now
		if d.busy && len(d.then) > 0 { // who cannot watch asks again
			d.now, d.then = d.then[0], d.then[1:]
		}
		return was
	}
}

// set returns the settings, or those that are set here and now.
func (d *daemon) set(values any) local.Settings {
	wanted, some := values.(map[string]any)
	out := local.Settings{Schema: local.Schema}
	for _, s := range d.settings {
		v, named := wanted[s.Key].(string)
		if named {
			s.Value, s.Set = v, true
		}
		if named || !some {
			out.Settings = append(out.Settings, s)
		}
	}
	return out
}

func (d *daemon) pong(peer any) any {
	for _, n := range d.now.Networks {
		for _, p := range n.Peers {
			if p.Name == peer {
				return local.Pong{Schema: local.Schema, Peer: p.Name, Network: n.Name, Address: p.Addresses[0], RTT: 1250 * time.Microsecond,
					Path: p.Path, Endpoint: p.Endpoint, Protocol: "wireguard"}
			}
		}
	}
	return nil
}

func theDaemon(ts *testscript.TestScript) *daemon { return ts.Value("daemon").(*daemon) }

func state(ts *testscript.TestScript, file string) (s local.Status) {
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &s))
	return s
}

// daemonState sets what the daemon shows from now on: daemon up.json. "daemon stops" ends it, "daemon ends-watches" makes it end each watch
// when there is nothing more to show, "daemon is-watched" makes it refuse watches, "daemon is-member" makes it use no join key. Else the first
// word says what is set: daemon tunnels wg.json, daemon denials first.json then.json; see answers.
func daemonState(ts *testscript.TestScript, _ bool, args []string) {
	d := theDaemon(ts)
	if args[0] == "stops" {
		d.server.Close()
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch args[0] {
	case "ends-watches":
		d.brief = true
	case "is-watched":
		d.busy = true
	case "is-member":
		d.member = true
	case "settings":
		var all local.Settings
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &all))
		d.settings = all.Settings
	default:
		to, ok := d.answers()[args[0]]
		if !ok {
			d.now, d.then, d.refusal = state(ts, args[0]), nil, nil
			return
		}
		for i, file := range args[1:] {
			*to[i] = json.RawMessage(ts.ReadFile(file))
		}
	}
}

// answers are what a script sets by a word and one or two files.
func (d *daemon) answers() map[string][]*json.RawMessage {
	return map[string][]*json.RawMessage{
		"cert": {&d.cert, &d.renewed}, "check": {&d.check}, "denials": {&d.denials, &d.later}, "ipsec": {&d.ipsec},
		"leaves": {&d.left}, "names": {&d.names, &d.lookup}, "log": {&d.log}, "path": {&d.path}, "tunnels": {&d.tunnels},
	}
}

// daemonThen sets what the next watch shows after the state of now: then connecting.json up.json
func daemonThen(ts *testscript.TestScript, _ bool, args []string) {
	d := theDaemon(ts)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, file := range args {
		d.then = append(d.then, state(ts, file))
	}
}

// daemonRefuses makes the daemon refuse everything: refuses CODE TITLE DETAIL HINT
func daemonRefuses(ts *testscript.TestScript, _ bool, args []string) {
	d := theDaemon(ts)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refusal = local.Code(args[0]).Problem(args[1], args[2], args[3])
}
