package tui

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/version"
)

// noon is the now of these stories.
var noon = time.Date(2026, 3, 6, 12, 0, 0, 0, time.UTC)

// twin is a daemon in memory. Only the program's commands call it, one at a time.
type twin struct {
	status  local.Status
	err     error // answers everything
	path    map[string]local.PeerPath
	reach   map[string]local.Reach
	ipsec   local.IPsec
	rtts    []time.Duration // of pings to come; 0: no answer
	log     local.PolicyLog
	check   local.NetCheck
	found   Diagnosis
	turned  []string
	names   local.DNS
	refused error // answers what operators may
}

func (d *twin) Status(context.Context) (local.Status, error) { return d.status, d.err }

func (d *twin) Watch(ctx context.Context) iter.Seq2[local.Status, error] {
	return func(yield func(local.Status, error) bool) {
		if d.err != nil {
			yield(local.Status{}, d.err)
			return
		}
		if yield(d.status, nil) {
			<-ctx.Done()
		}
	}
}

func (d *twin) Path(_ context.Context, r local.PathRequest) (local.PeerPath, error) {
	if d.refused != nil {
		return local.PeerPath{}, d.refused
	}
	p, ok := d.path[r.Peer]
	if !ok {
		return p, local.CodeNotFound.Problem("show the paths", "nothing is known of it", "")
	}
	return p, nil
}

func (d *twin) Reach(_ context.Context, r local.PathRequest) (local.Reach, error) {
	if d.refused != nil {
		return local.Reach{}, d.refused
	}
	return d.reach[r.Peer], nil
}

func (d *twin) Certificates(context.Context) (local.Certificates, error) {
	return local.Certificates{Certificates: []local.Certificate{{Network: "office", ID: "n1", Subject: "CN=a1", Names: []string{"laptop.office.cvlan", "cvlan://default/n1/a1"},
		Serial: "0102030405060708090a0b0c0d0e0f10", Fingerprint: strings.Repeat("5c1a", 16), Key: "ECDSA P-256", NotBefore: noon, NotAfter: noon.Add(60 * 24 * time.Hour),
		RenewsFrom: noon.Add(30 * 24 * time.Hour), Issuer: local.Issuer{Subject: "CN=CloudVLAN tenant default"}, Root: local.Issuer{Subject: "CN=CloudVLAN root", NotAfter: noon.Add(87600 * time.Hour)}}}}, nil
}

func (d *twin) IPsec(context.Context) (local.IPsec, error) { return d.ipsec, d.refused }

func (d *twin) Ping(_ context.Context, r local.PingRequest) (local.Pong, error) {
	if len(d.rtts) == 0 || d.rtts[0] == 0 {
		d.rtts = d.rtts[min(1, len(d.rtts)):]
		return local.Pong{}, local.CodeTimeout.Problem("ping "+r.Peer, "no answer within 2s", "is it switched on?")
	}
	rtt := d.rtts[0]
	d.rtts = d.rtts[1:]
	return local.Pong{Peer: r.Peer, RTT: rtt, Path: local.PathDirect}, nil
}

func (d *twin) PolicyLog(context.Context, local.PolicyLogRequest) (local.PolicyLog, error) {
	l := d.log
	d.log.Networks = nil
	return l, d.refused
}

// examine finds what the story says; the network is looked at where that was wanted.
func (d *twin) examine(_ context.Context, whole bool) Diagnosis {
	found := d.found
	found.Root = d.refused == nil
	if whole {
		found.Check = &d.check
	}
	return found
}

func (d *twin) cure(_ context.Context, command []string) error {
	d.turned = append(d.turned, strings.Join(command, " "))
	return d.refused
}

func (d *twin) Up(_ context.Context, r local.UpRequest) (local.Networks, error) {
	d.turned = append(d.turned, "up "+r.Network)
	return local.Networks{}, d.refused
}

func (d *twin) Down(_ context.Context, r local.DownRequest) (local.Networks, error) {
	d.turned = append(d.turned, "down "+r.Network)
	return local.Networks{}, d.refused
}

func (d *twin) Set(_ context.Context, r local.SetRequest) (local.Settings, error) {
	for key, value := range r.Values {
		d.turned = append(d.turned, r.Network+" "+key+" "+value)
	}
	return local.Settings{}, d.refused
}

func (d *twin) DNS(context.Context) (local.DNS, error) { return d.names, d.err }

// ruler is a controller in memory.
type ruler struct {
	nodes []admin.Node
	keys  []admin.JoinKey
	done  []string
	err   error
}

func (r *ruler) note(format string, args ...any) error {
	r.done = append(r.done, fmt.Sprintf(format, args...))
	return r.err
}

func (r *ruler) Explain(_ context.Context, network string, q admin.PolicyQuestion) (admin.PolicyAnswers, error) {
	err := r.note("explain %s %s %s", network, q.Src, q.Dst)
	e := admin.Explanation{Src: admin.PolicyParty{Name: q.Src}, Dst: admin.PolicyParty{Name: "db-1"}, Service: "tcp:443", Allowed: true,
		Text: "allowed by acls[0] at line 4\nacls[1] at line 9 does not match: port"}
	return admin.PolicyAnswers{Number: 3, Answers: []admin.Explanation{e}}, err
}
func (r *ruler) Nodes(context.Context) ([]admin.Node, error) { return r.nodes, r.err }
func (r *ruler) Suspend(_ context.Context, n string) error   { return r.note("suspend %s", n) }
func (r *ruler) Approve(_ context.Context, n string) error   { return r.note("approve %s", n) }
func (r *ruler) Rename(_ context.Context, n, name string) error {
	return r.note("rename %s %s", n, name)
}
func (r *ruler) Routes(_ context.Context, n string, c admin.RouteChange) error {
	return r.note("routes %s +%v -%v", n, c.Approve, c.Revoke)
}
func (r *ruler) Delete(_ context.Context, n string) error      { return r.note("delete %s", n) }
func (r *ruler) Keys(context.Context) ([]admin.JoinKey, error) { return r.keys, r.err }
func (r *ruler) Certificates(_ context.Context, node string) ([]admin.Certificate, []admin.Authority, error) {
	err := r.note("certificates %s", node)
	return []admin.Certificate{{Serial: "0b", State: "valid", Issuer: "0a", NotAfter: noon.Add(60 * 24 * time.Hour)}}, []admin.Authority{{CACert: admin.CACert{Serial: "0a", Subject: "CN=CloudVLAN tenant default"}, State: "signing"}}, err
}
func (r *ruler) RevokeKey(_ context.Context, key string) error { return r.note("revoke %s", key) }
func (r *ruler) Networks(context.Context) ([]admin.Network, error) {
	return []admin.Network{{Name: "office"}}, r.err
}
func (r *ruler) Tag(_ context.Context, n string, c admin.TagChange) ([]string, error) {
	return nil, r.note("tag %s +%v -%v", n, c.Add, c.Remove)
}
func (r *ruler) CreateKey(_ context.Context, k admin.NewJoinKey) (admin.CreatedJoinKey, error) {
	uses := -1
	if k.Uses != nil {
		uses = *k.Uses
	}
	err := r.note("key %s uses %d approve %v", k.Network, uses, k.Approve)
	return admin.CreatedJoinKey{JoinKey: admin.JoinKey{NetworkName: k.Network, Expires: noon.Add(time.Hour)}, Key: "cvjoin1_" + strings.Repeat("q7Xk", 30)}, err
}

// office is a state with a bit of everything.
func office() local.Status {
	ago := func(d time.Duration) *time.Time { t := noon.Add(-d); return &t }
	at := func(s string) *netip.AddrPort { a := netip.MustParseAddrPort(s); return &a }
	node := func(id, name, addr, user string, tags ...string) local.Node {
		return local.Node{ID: id, Name: name, Addresses: []netip.Addr{netip.MustParseAddr(addr), netip.MustParseAddr("fd5c:1a7e:9b02::" + id[1:])}, User: user, Tags: tags, Key: "hV0wbqvZz0q5r2m1ZQZc9k7o4a3u8N1yJmXr5bq7T" + id + "="}
	}
	return local.Status{Schema: 1, Daemon: version.Info{Version: "1.4.0"}, Since: noon.Add(-50 * time.Hour), Networks: []local.Network{{
		ID: "n1", Name: "office", Tenant: "default", Domain: "office.cvlan", State: local.Up, Interface: "cvlan0", Port: 41641, MTU: 1280,
		Self:       node("a1", "laptop", "10.77.0.2", "alice@example.com"),
		Policy:     local.Policy{Version: 7, Flows: 31, Denied: 12},
		Controller: local.Controller{Address: "ctl.example.com:443", Connected: true, Transport: "quic", Since: ago(3 * time.Hour), CertUntil: ago(-160 * time.Hour)},
		Warnings:   []local.Problem{{Code: "udp-blocked", What: "UDP does not leave this network", Hint: "see what it lets through: cvlan netcheck"}},
		Routes: []local.PeerRoute{
			{Prefix: netip.MustParsePrefix("10.20.0.0/16"), Router: "db-1", Standby: []string{"web-2"}, State: local.RouteInUse},
			{Prefix: netip.MustParsePrefix("192.168.7.0/24"), Router: "db-1", State: local.RouteClash, Why: "it overlaps 192.168.7.0/24, which this machine has on eth0"}},
		Offers: []local.Offer{{Prefix: netip.MustParsePrefix("10.30.0.0/24"), Approved: true}, {Prefix: netip.MustParsePrefix("10.40.0.0/24")}},
		Peers: []local.Peer{
			{Node: node("b1", "db-1", "10.77.0.3", "", "db"), Online: true, Protocol: "wireguard", Path: local.PathDirect, Endpoint: at("192.0.2.7:41641"), LastHandshake: ago(41 * time.Second), RxBytes: 1 << 30, TxBytes: 7 << 20},
			{Node: node("b2", "web-2", "10.77.0.4", "", "web", "prod"), Online: true, Protocol: "wireguard", Path: local.PathRelay, Relay: "fra-1", LastHandshake: ago(100 * time.Second), RxBytes: 1 << 20, TxBytes: 2 << 20},
			{Node: node("b3", "web-10", "10.77.0.5", "", "web"), Online: true, Protocol: "wireguard", Path: local.PathIdle},
			{Node: node("b4", "bobs-desk", "10.77.0.6", "bob@example.com"), LastSeen: ago(26 * time.Hour), Protocol: "wireguard", Path: local.PathIdle},
			{Node: node("b5", "printer", "10.77.0.7", "", "printer"), Kind: local.PlainPeer, Protocol: "wireguard", Path: local.PathIdle, LastHandshake: ago(5 * time.Minute)},
		}}}}
}

// stage is a model with a terminal, a daemon and perhaps a controller, without a program: what Update returns is run at once.
type stage struct {
	*Model
	twin   *twin
	ruler  *ruler
	other  *ruler // of another login
	clock  time.Time
	copied string
	quit   bool
}

func newStage(width, height int, logged bool) *stage {
	s := &stage{twin: &twin{status: office()}, clock: noon}
	rtt := 1200 * time.Microsecond
	s.twin.path = map[string]local.PeerPath{"b1": {Path: local.PathDirect, Why: "direct beats relayed", Since: &noon, Preshared: "post-quantum", Candidates: []local.Candidate{
		{Path: local.PathDirect, Address: s.twin.status.Networks[0].Peers[0].Endpoint, Kind: "host", State: "works", Chosen: true, RTT: rtt, MTU: 1420, Heard: &noon},
		{Path: local.PathRelay, Relay: "fra-1", Kind: "relay", State: "works", RTT: 31 * time.Millisecond, Heard: &noon}}}}
	s.twin.reach = map[string]local.Reach{"b1": {Policy: 7, Out: []local.ReachRule{{Rule: 0, Services: []string{"icmp"}}, {Rule: 1, Services: []string{"tcp:5432", "tcp:9100-9110"}}, {Rule: 3, Deny: true, Services: []string{"tcp:22"}}}}}
	s.twin.names = local.DNS{InPlace: true, Networks: []local.DNSNetwork{{Network: "office", Domain: "office.cvlan", On: true, Served: true}}}
	c := &Config{Daemon: s.twin, Now: func() time.Time { return s.clock }, NoController: "nobody is logged in", Examine: s.twin.examine, Cure: s.twin.cure}
	if logged {
		s.ruler = &ruler{}
		c.Controller = s.ruler
		c.Logins, c.Login = []Login{{"home", "ctl.example.com:443", ""}, {"work", "vpn.example.org:443", "acme"}}, "home"
		c.LogIn = func(name string) (Controller, error) {
			if name == "work" && s.other != nil {
				return s.other, nil
			}
			return nil, errors.New("the login file is damaged")
		}
		c.QR = func(string) ([]string, error) {
			return []string{"██▀▀██", "█ ▄▄ █", "██████"}, nil
		}
	}
	s.Model = newModel(context.Background(), c, nil)
	s.send(tea.WindowSizeMsg{Width: width, Height: height})
	return s
}

// hear brings a state.
func (s *stage) hear() {
	s.send(news{s.twin.status, s.twin.err, s.clock, false})
}

// pass lets a second pass, in which so much traffic comes from the first peer.
func (s *stage) pass(bytes uint64) {
	s.clock = s.clock.Add(time.Second)
	if n := s.twin.status.Networks; len(n) > 0 && len(n[0].Peers) > 0 {
		s.twin.status.Networks[0].Peers[0].RxBytes += bytes
	}
	s.hear()
	s.send(tick(s.clock))
}

// quiet lets time pass until no notice is left.
func (s *stage) quiet() {
	s.clock = s.clock.Add(noticeFor)
	s.pass(0)
}

// send gives the model a message, runs what it wants done, except for what waits, and draws, as a program does.
func (s *stage) send(msg tea.Msg) {
	defer s.View()
	if n, ok := msg.(news); ok {
		s.Model.hear(n)
		return
	}
	if _, ok := msg.(tick); ok {
		s.run(s.second())
		return
	}
	_, cmd := s.Update(msg)
	s.run(cmd)
}

func (s *stage) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch msg := cmd().(type) {
	case nil:
	case tea.BatchMsg:
		for _, c := range msg {
			s.run(c)
		}
	case tea.QuitMsg:
		s.quit = true
	case outcome:
		s.send(msg)
	default:
		s.copied = fmt.Sprint(msg) // the clipboard's message has no exported type
	}
}

// press presses keys, by name, or types what is none: "/ d b enter" or "/", "db", "enter".
func (s *stage) press(keys ...string) {
	named := map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab, "up": tea.KeyUp, "down": tea.KeyDown, "backspace": tea.KeyBackspace,
		"pgdown": tea.KeyPgDown, "pgup": tea.KeyPgUp, "home": tea.KeyHome, "end": tea.KeyEnd, "left": tea.KeyLeft, "right": tea.KeyRight}
	for _, k := range keys {
		switch code, ok := named[k]; {
		case ok:
			s.send(tea.KeyPressMsg{Code: code})
		case k == "ctrl+c":
			s.send(tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl})
		case k == "shift+tab":
			s.send(tea.KeyPressMsg{Code: tea.KeyTab, Mod: tea.ModShift})
		default:
			for _, r := range k {
				s.send(tea.KeyPressMsg{Code: r, Text: string(r)})
			}
		}
	}
}

// screen returns what is seen, without styles.
func (s *stage) screen() string {
	lines := strings.Split(ansi.Strip(s.View().Content), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return strings.Join(lines, "\n") + "\n"
}

var errDown = fmt.Errorf("%w at /run/cvlan/cvland.sock: no such file", local.ErrNoDaemon)

var errRights = errors.Join(local.CodePermission.Problem("show the paths", "you are no operator", "as an operator: sudo cvlan tui"))
