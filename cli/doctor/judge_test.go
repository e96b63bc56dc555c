package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

var now = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

// well is a machine with which nothing is wrong.
func well() *Facts {
	until, shake := now.Add(60*24*time.Hour), now.Add(-time.Minute)
	f := &Facts{Now: now, Tunnels: &local.WireGuard{}, Check: &local.NetCheck{}}
	f.Client.Version, f.Status.Daemon.Version = "1.0.0", "1.0.0"
	f.Status.Networks = []local.Network{{ID: "v1", Name: "office", State: local.Up, Interface: "cvlan0", MTU: 1380, Policy: local.Policy{Version: 3},
		Self: local.Node{Name: "laptop", Addresses: []netip.Addr{netip.MustParseAddr("10.9.0.1")}}, Controller: local.Controller{Connected: true, CertUntil: &until},
		Peers: []local.Peer{{Node: local.Node{Name: "db", Key: "k", Addresses: []netip.Addr{netip.MustParseAddr("10.9.0.2")}}, Online: true}}}}
	f.Tunnels.Networks = []local.WGNetwork{{ID: "v1", Name: "office", Socket: local.WGSocket{ReceiveBuffer: 32 << 20, SendBuffer: 32 << 20},
		Peers: []local.WGPeer{{Name: "db", Key: "k", LatestHandshake: &shake}}}}
	f.Check.IPv4.UDP = true
	f.Check.Relays = []local.NetRelay{{Name: "fra-1", UDP: time.Millisecond, TLS: time.Millisecond, MTU: 1500}, {Name: "nyc-1", UDP: time.Millisecond}}
	f.Host = HostFacts{System: "linux", User: "ada", Root: true, Program: "/usr/sbin/cvland", Unit: "active", Systemd: true, Group: true,
		Interfaces: map[string]int{"cvlan0": 1380}, Buffers: 212992,
		Routes: []Route{{"v1", netip.MustParseAddr("10.9.0.2"), netip.MustParseAddr("10.9.0.1")}}}
	return f
}

func TestAMachineThatIsWellGetsNoFindings(t *testing.T) {
	f := well()
	if r := Judge(f); len(r.Findings) > 0 || !r.Healthy() {
		t.Errorf("%+v", r.Findings)
	}
}

// ills are what can go wrong, one at a time.
var ills = []struct {
	name, code, cure string
	severity         Severity
	spoil            func(*Facts)
}{
	{"nothing listens, and the service is stopped", "daemon-down", "systemctl start cvland", Error, func(f *Facts) { f.Silence, f.Host.Unit = local.ErrNoDaemon, "inactive" }},
	{"the service ends as soon as it starts", "daemon-down", "", Error, func(f *Facts) {
		f.Silence, f.Host.Unit, f.Host.Said = local.ErrNoDaemon, "activating", `cvland: no setting is called "prot"`
	}},
	{"the service has failed", "daemon-down", "systemctl restart cvland", Error, func(f *Facts) { f.Silence, f.Host.Unit = local.ErrNoDaemon, "failed" }},
	{"the service runs at another socket", "daemon-down", "", Error, func(f *Facts) { f.Silence = local.ErrNoDaemon }},
	{"there is no service", "daemon-down", "", Error, func(f *Facts) { f.Silence, f.Host.Unit = local.ErrNoDaemon, "" }},
	{"there is no daemon on the disk", "daemon-down", "", Error, func(f *Facts) { f.Silence, f.Host.Unit, f.Host.Program = local.ErrNoDaemon, "", "" }},
	{"the socket is closed to this user", "socket-permission", "", Error, func(f *Facts) { f.Silence = fmt.Errorf("%w: %w", local.ErrNoDaemon, fs.ErrPermission) }},
	{"the daemon hangs", "daemon-fails", "", Error, func(f *Facts) { f.Silence = errors.New("context deadline exceeded") }},
	{"cvlan was updated alone", "daemon-version", "", Warning, func(f *Facts) { f.Client.Version = "1.1.0" }},
	{"the user is no operator", "operator-rights", "", Note, func(f *Facts) { f.Tunnels, f.Host.Root = nil, false }},
	{"there is no TUN", "no-tun", "modprobe tun", Error, func(f *Facts) { f.Host.TUN = "missing" }},
	{"TUN is closed", "tun-permission", "", Error, func(f *Facts) { f.Host.TUN = "forbidden" }},
	{"a container without rights", "no-net-admin", "", Error, func(f *Facts) { f.Host.NoNetAdmin = true }},
	{"the clock is before the build", "clock-wrong", "", Error, func(f *Facts) { f.Client.Built = now.Add(time.Hour) }},
	{"the clock is off", "clock-wrong", "", Warning, func(f *Facts) { d := 2 * time.Minute; f.Check.Clock = &d }},
	{"the clock is off, and the daemon says so", "clock-wrong", "", Warning, func(f *Facts) {
		d := time.Hour
		f.Check.Clock, f.Status.Networks[0].Warnings = &d, []local.Problem{{Code: "clock-wrong", What: "it is off", Hint: "set it"}}
	}},
	{"no network is joined", "no-network", "", Note, func(f *Facts) {
		f.Status.Networks, f.Tunnels.Networks, f.Check = nil, nil, nil
	}},
	{"the daemon has found it", "range-clash", "", Error, func(f *Facts) {
		f.Status.Networks[0].State, f.Status.Networks[0].Problem = local.Failed, &local.Problem{Code: "range-clash", What: "overlaps"}
	}},
	{"the daemon warns", "peers-refused", "", Warning, func(f *Facts) {
		f.Status.Networks[0].Warnings = []local.Problem{{Code: "peers-refused", What: "2 entries"}}
	}},
	{"the network is off", "switched-off", "", Note, func(f *Facts) { f.Status.Networks[0].State, f.Status.Networks[0].Interface = local.Down, "" }},
	{"nobody has approved it", "approval-pending", "", Error, func(f *Facts) { f.Status.Networks[0].State = local.Pending }},
	{"the controller is away", "controller-unreachable", "", Warning, func(f *Facts) { f.Status.Networks[0].State = local.Offline }},
	{"it never comes up", "starting", "", Warning, func(f *Facts) { f.Status.Networks[0].State, f.Status.Networks[0].Interface = local.Starting, "" }},
	{"it was removed", "needs-join", "", Error, func(f *Facts) { f.Status.Networks[0].State = local.NeedsLogin }},
	{"the interface is gone", "interface-gone", "", Error, func(f *Facts) { delete(f.Host.Interfaces, "cvlan0") }},
	{"somebody changed the MTU", "mtu-changed", "ip link set dev cvlan0 mtu 1380", Warning, func(f *Facts) { f.Host.Interfaces["cvlan0"] = 9000 }},
	{"another VPN takes the packets", "route-taken", "", Error, func(f *Facts) { f.Host.Routes[0].From = netip.MustParseAddr("192.0.2.1") }},
	{"another VPN comes before the exit", "exit-and-vpn", "", Warning, func(f *Facts) {
		f.Status.Networks[0].Exit = &local.Exit{Node: "gate", State: local.ExitInUse}
		f.Host.Rules = []Rule{{Priority: 110, Table: "7120", Mark: 0x1bd00}, {Priority: exitRule, Table: exitTable, Mark: 0xc0}}
	}},
	{"another VPN comes after the exit", "exit-and-vpn", "", Warning, func(f *Facts) {
		f.Status.Networks[0].Exit = &local.Exit{Node: "gate", State: local.ExitInUse}
		f.Host.Rules = []Rule{{Priority: exitRule, Table: exitTable, Mark: 0xc0}, {Priority: 32765, Table: "51820", Mark: 51820}}
	}},
	{"Tailscale has the range", "tailscale-drops", "", Warning, func(f *Facts) {
		f.Status.Networks[0].Ranges = []netip.Prefix{netip.MustParsePrefix("100.64.7.0/24")}
		f.Host.Rules = []Rule{{Priority: 5210, Table: "main", Mark: 0x80000}, {Priority: 5270, Table: "52"}}
	}},
	{"a killed daemon's door is shut", "daemon-down", "systemctl start cvland", Error, func(f *Facts) {
		f.Silence, f.Host.Unit, f.Host.Rules = local.ErrNoDaemon, "inactive", []Rule{{Priority: exitRule, Table: exitTable, Mark: 0xc0}}
	}},
	{"the route is gone", "route-taken", "", Error, func(f *Facts) { f.Host.Routes[0].From = netip.Addr{} }},
	{"there are no rules", "no-rules", "", Error, func(f *Facts) { f.Status.Networks[0].Policy.Version = 0 }},
	{"the network is closed", "network-closed", "", Note, func(f *Facts) { f.Status.Networks[0].Closed, f.Status.Networks[0].Peers = true, nil }},
	{"everybody is hidden", "nobody-visible", "", Note, func(f *Facts) { f.Status.Networks[0].Peers = nil }},
	{"the certificate ends", "certificate-expiring", "", Warning, func(f *Facts) { *f.Status.Networks[0].Controller.CertUntil = now.Add(time.Hour) }},
	{"the certificate has ended", "certificate-expired", "", Error, func(f *Facts) { *f.Status.Networks[0].Controller.CertUntil = now.Add(-time.Hour) }},
	{"a company's chain ends this quarter", "company-chain-expiring", "", Note, company(80)},
	{"a company's chain ends this month", "company-chain-expiring", "", Warning, company(20)},
	{"a company's chain ends this week", "company-chain-expiring", "", Warning, company(5)},
	{"a company's chain has ended", "company-chain-expired", "", Warning, company(-1)},
	{"a peer does not answer", "peer-silent", "", Warning, func(f *Facts) {
		f.Tunnels.Networks[0].Peers[0].Handshaking, f.Tunnels.Networks[0].Peers[0].LatestHandshake = true, nil
	}},
	{"a router's firewall drops", "forward-dropped", "", Error, func(f *Facts) {
		f.Status.Networks[0].Offers = []local.Offer{{Prefix: netip.MustParsePrefix("10.20.0.0/16"), Approved: true}}
		f.Host.Forward = []Chain{{Family: "ip", Table: "filter", Name: "FORWARD", Names: []string{"docker0"}}}
	}},
	{"buffers are small", "buffers-small", "sysctl -w net.core.rmem_max=16777216 net.core.wmem_max=16777216", Warning, func(f *Facts) { f.Tunnels.Networks[0].Socket.ReceiveBuffer = 425984 }},
	{"the memory is used up", "memory-short", "", Warning, func(f *Facts) { f.Tunnels.Networks[0].Drops = map[string]uint64{"no_memory": 3} }},
	{"a login page", "login-page", "", Error, func(f *Facts) { f.Check.Captive = true }},
	{"a relay's certificate has ended", "relay-certificate", "", Error, func(f *Facts) { f.Check.Relays[0].TLS, f.Check.Relays[0].Ended = 0, true }},
	{"a narrow way", "mtu-low", "", Warning, func(f *Facts) { f.Check.Relays[0].MTU = 1300 }},
	{"the networks have no relay", "no-relay", "", Note, func(f *Facts) { f.Check.Relays = nil }},
	{"nothing answers", "offline", "", Error, func(f *Facts) { f.Check.Relays = []local.NetRelay{{Name: "fra-1"}} }},
	{"UDP is blocked", "udp-blocked", "", Warning, func(f *Facts) { f.Check.IPv4.UDP = false }},
	{"one relay is away", "relay-unreachable", "", Warning, func(f *Facts) { f.Check.Relays[1].UDP = 0 }},
}

func TestEveryTroubleIsFoundAloneAndSaysWhatToType(t *testing.T) {
	for _, ill := range ills {
		t.Run(ill.name, func(t *testing.T) {
			f := well()
			ill.spoil(f)
			r := Judge(f)
			if len(r.Findings) != 1 {
				t.Fatalf("found %+v", r.Findings)
			}
			got := r.Findings[0]
			if got.Code != ill.code || got.Severity != ill.severity || got.CureText() != ill.cure || got.What == "" {
				t.Errorf("found %+v", got)
			}
			if got.Hint == "" && f.Status.Networks != nil && f.Status.Networks[0].Problem == nil && len(f.Status.Networks[0].Warnings) == 0 {
				t.Errorf("%s says nothing to type", got.Code)
			}
			if r.Healthy() != (ill.severity == Note) {
				t.Errorf("healthy: %v", r.Healthy())
			}
		})
	}
}

func TestTheWorstComesFirst(t *testing.T) {
	f := well()
	f.Status.Networks[0].Peers, f.Client.Version, f.Host.TUN = nil, "2", "missing"
	var order []Severity
	for _, x := range Judge(f).Findings {
		order = append(order, x.Severity)
	}
	if !slices.Equal(order, []Severity{Error, Warning, Note}) {
		t.Errorf("%v", order)
	}
}

// told are the codes that the daemon gives a network's problems.
var told = regexp.MustCompile(`(?m)(?:code[A-Z]\w* *= *|Code: |problemOf\(|^\t\treturn )"([a-z-]+)"`)

// TestTheGuideKnowsEveryFinding holds docs/guides/troubleshooting.md to the code: a heading for each code, its own and the daemon's.
func TestTheGuideKnowsEveryFinding(t *testing.T) {
	guide, err := os.ReadFile("../../docs/guides/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	var sources []string
	for _, glob := range []string{"*.go", "../../internal/node/session/*.go", "../../internal/node/engine/*.go", "../../daemon/show.go", "../../daemon/exits.go"} {
		all, _ := filepath.Glob(glob)
		sources = append(sources, all...)
	}
	missing := map[string]string{}
	for _, path := range sources {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(filepath.Base(path), "system") {
			continue // words about the host, no codes
		}
		for _, m := range told.FindAllStringSubmatch(string(text), -1) {
			if !strings.HasSuffix(path, "_test.go") && !strings.Contains(string(guide), "\n### "+m[1]+"\n") {
				missing[m[1]] = path
			}
		}
	}
	for code, path := range missing {
		t.Errorf("docs/guides/troubleshooting.md has no heading for %s of %s", code, path)
	}
}

func TestAHostIsLookedAtWithoutTouchingIt(t *testing.T) {
	h := System{}.Look(t.Context(), []Route{{To: netip.MustParseAddr("127.0.0.1")}})
	if h.Routes[0].From != netip.MustParseAddr("127.0.0.1") || h.System == "" {
		t.Errorf("%+v", h)
	}
	if err := (System{}).Run(t.Context(), []string{"false"}); err == nil {
		t.Error("a cure that fails must say so")
	}
}

// company has the chain of a company end in some days.
func company(days int) func(*Facts) {
	return func(f *Facts) {
		ends := now.AddDate(0, 0, days)
		f.Status.Networks[0].Controller.CrossUntil = &ends
	}
}
