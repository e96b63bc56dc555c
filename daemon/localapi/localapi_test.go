//go:build linux

package localapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

// backend is a daemon with one network and one peer.
type backend struct {
	mu     sync.Mutex
	peers  []local.Peer
	change chan struct{}
	err    error
	ups    []local.UpRequest
}

func newBackend() *backend {
	at := netip.MustParseAddrPort("203.0.113.5:7")
	return &backend{change: make(chan struct{}), peers: []local.Peer{{Node: local.Node{Name: "a"}, Endpoint: &at, Candidates: []netip.AddrPort{at}}}}
}

func (b *backend) Status() local.Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return local.Status{Schema: local.Schema, Networks: []local.Network{{Name: "office", Peers: append([]local.Peer(nil), b.peers...)}}}
}

func (b *backend) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.change
}

// alter changes the state and tells.
func (b *backend) alter(f func(*local.Peer)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(&b.peers[0])
	close(b.change)
	b.change = make(chan struct{})
}

func (b *backend) Up(_ context.Context, r local.UpRequest) (local.Networks, error) {
	b.ups = append(b.ups, r)
	return local.Networks{Networks: b.Status().Networks}, b.err
}
func (b *backend) Down(context.Context, local.DownRequest) (local.Networks, error) {
	return local.Networks{}, b.err
}

func (b *backend) Logout(context.Context, local.LogoutRequest) (local.LoggedOut, error) {
	return local.LoggedOut{}, b.err
}

func (b *backend) Path(context.Context, local.PathRequest) (local.PeerPath, error) {
	return local.PeerPath{Schema: local.Schema}, nil
}

func (b *backend) Reach(context.Context, local.PathRequest) (local.Reach, error) {
	return local.Reach{Schema: local.Schema}, nil
}

func (b *backend) NetCheck(context.Context) (local.NetCheck, error) {
	return local.NetCheck{Schema: local.Schema}, nil
}

func (b *backend) IPsec() local.IPsec { return local.IPsec{Schema: local.Schema} }

func (b *backend) RekeyIPsec(context.Context, local.IPsecRequest) (local.IPsecDone, error) {
	return local.IPsecDone{Schema: local.Schema}, nil
}

func (b *backend) TerminateIPsec(context.Context, local.IPsecRequest) (local.IPsecDone, error) {
	return local.IPsecDone{Schema: local.Schema}, nil
}

func (b *backend) Certificates() local.Certificates { return local.Certificates{Schema: local.Schema} }

func (b *backend) RenewCertificate(context.Context, local.RenewRequest) (local.Renewed, error) {
	return local.Renewed{Schema: local.Schema}, nil
}

func (b *backend) IPsecLog(context.Context, local.IPsecLogRequest) (local.IPsecLog, error) {
	return local.IPsecLog{Schema: local.Schema}, nil
}

func (b *backend) DNS() local.DNS { return local.DNS{} }
func (b *backend) QueryDNS(context.Context, local.DNSRequest) (local.DNSAnswers, error) {
	return local.DNSAnswers{}, nil
}
func (b *backend) PolicyLog(context.Context, local.PolicyLogRequest) (local.PolicyLog, error) {
	return local.PolicyLog{Schema: local.Schema}, nil
}

func (b *backend) Settings() local.Settings { return local.Settings{Schema: local.Schema} }
func (b *backend) Set(context.Context, local.SetRequest) (local.Settings, error) {
	return local.Settings{Schema: local.Schema}, nil
}

func (b *backend) WireGuard() local.WireGuard { return local.WireGuard{Schema: local.Schema} }
func (b *backend) Ping(context.Context, local.PingRequest) (local.Pong, error) {
	at := netip.MustParseAddrPort("203.0.113.5:7")
	return local.Pong{Peer: "a", Endpoint: &at}, b.err
}

// serve runs a server until the test ends.
func serve(t *testing.T, b *backend, alter func(*Config)) (*Server, string) {
	t.Helper()
	path := filepath.Join(socketFolder(t), "s")
	cfg := Config{Path: path, Backend: b, Log: slog.New(slog.DiscardHandler)}
	if alter != nil {
		alter(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return s, path
}

// socketFolder is short enough for a socket's path, and open to other users.
func socketFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cvl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func client(t *testing.T, path string) *local.Client {
	c := local.NewClient(path)
	t.Cleanup(c.Close)
	return c
}

func code(err error) local.Code {
	var e *local.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestEveryOperationIsServedAndNoOther(t *testing.T) {
	s, _ := serve(t, newBackend(), nil)
	want := map[string]local.Level{}
	for _, r := range local.Routes() {
		want[key(r.Method, r.Path)] = r.Level
	}
	for k, r := range s.routes {
		if want[k] != r.Level || r.serve == nil {
			t.Errorf("%s is served at level %q, the schema says %q", k, r.Level, want[k])
		}
		delete(want, k)
	}
	if len(want) != 0 {
		t.Errorf("not served: %v", want)
	}
}

func TestLevelsAreWhatTheTableSays(t *testing.T) {
	s := &Server{cfg: Config{Group: "cvlan-no-such-group"}}
	stranger := caller{uid: 54321, groups: []uint32{54321}, known: true}
	if l := s.level(caller{uid: 0, known: true}); l != local.Admin {
		t.Errorf("root is %q", l)
	}
	if l := s.level(stranger); l != local.Read {
		t.Errorf("a stranger is %q", l)
	}
	s.cfg.ReadGroup = true
	if l := s.level(stranger); l != none {
		t.Errorf("a stranger is %q where reading is closed", l)
	}
	if l := s.level(caller{}); l != none {
		t.Errorf("somebody unknown is %q", l)
	}
	s.cfg.Group = "daemon" // a group of every Linux: number 1
	if l := s.level(caller{uid: 54321, groups: []uint32{9, 1}, known: true}); l != local.Operate {
		t.Skipf("a member of the group is %q; is there no group daemon here?", l)
	}
}

func TestAdminSeesEverything(t *testing.T) {
	b := newBackend()
	_, path := serve(t, b, nil)
	c := client(t, path)
	s, err := c.Status(t.Context())
	if err != nil || s.Networks[0].Peers[0].Endpoint == nil {
		t.Fatalf("%+v, %v", s, err)
	}
	if a, err := c.Version(t.Context()); err != nil || a.Daemon.Version == "" {
		t.Fatalf("%+v, %v", a, err)
	}
	if _, err := c.Up(t.Context(), local.UpRequest{Network: "office"}); err != nil || b.ups[0].Network != "office" {
		t.Fatalf("%v, %v", b.ups, err)
	}
}

// TestStrangersMayReadButNotOperateAndSeeNoEndpoints runs this test's own binary as another user.
func TestStrangersMayReadButNotOperateAndSeeNoEndpoints(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	_, path := serve(t, newBackend(), nil)
	out := asNobody(t, path)
	for _, want := range []string{"status: peer a endpoint false candidates 0", "ping: endpoint false", "up: permission-denied", "down: permission-denied"} {
		if !strings.Contains(out, want) {
			t.Errorf("want %q in\n%s", want, out)
		}
	}
}

func TestReadingCanBeClosedToStrangers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	_, path := serve(t, newBackend(), func(c *Config) { c.ReadGroup = true })
	if out := asNobody(t, path); !strings.Contains(out, "status: permission-denied") {
		t.Error(out)
	}
}

// asNobody runs TestAsNobody in a process of user 65534.
func asNobody(t *testing.T, path string) string {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(filepath.Dir(path), "test")
	if err := os.WriteFile(binary, self, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-test.run=^TestAsNobody$", "-test.v")
	cmd.Dir, cmd.Env = "/", append(os.Environ(), "CVLAN_TEST_SOCKET="+path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func TestAsNobody(t *testing.T) {
	path := os.Getenv("CVLAN_TEST_SOCKET")
	if path == "" {
		t.Skip("is run by another test, as another user")
	}
	c := client(t, path)
	s, err := c.Status(t.Context())
	if err != nil {
		fmt.Println("status:", code(err))
		return
	}
	p := s.Networks[0].Peers[0]
	fmt.Printf("status: peer %s endpoint %v candidates %d\n", p.Name, p.Endpoint != nil, len(p.Candidates))
	pong, err := c.Ping(t.Context(), local.PingRequest{Peer: "a"})
	fmt.Printf("ping: endpoint %v %v\n", pong.Endpoint != nil, err)
	_, err = c.Up(t.Context(), local.UpRequest{})
	fmt.Println("up:", code(err))
	_, err = c.Down(t.Context(), local.DownRequest{})
	fmt.Println("down:", code(err))
}

func TestSeventeenthConnectionOfAUserIsToldSo(t *testing.T) {
	_, path := serve(t, newBackend(), nil)
	var held []net.Conn
	for range maxConnsUser {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "GET /v1/version HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if r, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || r.StatusCode != 200 {
			t.Fatalf("%v %v", r, err)
		}
		held = append(held, c)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || r.StatusCode != http.StatusTooManyRequests {
		t.Fatalf("%v %v", r, err)
	}
	var e local.Error
	if err := json.NewDecoder(r.Body).Decode(&e); err != nil || e.Code != local.CodeBusy {
		t.Fatalf("%+v %v", e, err)
	}
	held[0].Close()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); <-time.After(10 * time.Millisecond) { // the server learns of the end of a connection by itself
		if _, err = client(t, path).Version(t.Context()); err == nil {
			return
		}
	}
	t.Fatalf("after one was closed: %v", err)
}

func TestWatchTellsChangesOnceAndOneUserHasFewWatches(t *testing.T) {
	b := newBackend()
	_, path := serve(t, b, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := client(t, path)
	seen := make(chan local.Status)
	go func() {
		defer close(seen)
		for s, err := range c.Watch(ctx) {
			if err != nil {
				return
			}
			seen <- s
		}
	}()
	if s := <-seen; s.Networks[0].Peers[0].Name != "a" {
		t.Fatalf("first %+v", s)
	}
	for n := 2; n <= maxWatches+1; n++ {
		next, stop := iter.Pull2(client(t, path).Watch(ctx))
		defer stop()
		if _, err, _ := next(); n <= maxWatches && err != nil || n > maxWatches && code(err) != local.CodeBusy {
			t.Fatalf("watch %d: %v", n, err)
		}
	}
	b.alter(func(p *local.Peer) { p.RxBytes = 99 }) // counters alone are no news
	for i := range 50 {
		b.alter(func(p *local.Peer) { p.Path = fmt.Sprint("p", i) })
	}
	events := 0
	for s := range seen {
		events++
		if s.Networks[0].Peers[0].Path == "p49" {
			break
		}
	}
	if events > 5 {
		t.Fatalf("%d events for changes within a moment", events)
	}
	cancel()
	for range seen {
	}
}

func TestMalformedAndEndlessRequestsAreRefused(t *testing.T) {
	_, path := serve(t, newBackend(), nil)
	post := func(body string) (int, local.Error) {
		h := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) }}}
		defer h.CloseIdleConnections()
		r, err := h.Post("http://x/v1/up", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		var e local.Error
		_ = json.NewDecoder(r.Body).Decode(&e)
		return r.StatusCode, e
	}
	const secret = "cvlan-join-1-SECRET"
	for _, body := range []string{`{"join_key": "` + secret + `"`, strings.Repeat("x", local.MaxRequest+1), `{"port": "` + secret + `"}`} {
		if n, e := post(body); n != http.StatusBadRequest || strings.Contains(e.Detail+e.Title, secret) {
			t.Errorf("%d %+v", n, e)
		}
	}
}

func TestSocketOfAKilledDaemonIsReplacedAndALiveOneIsNot(t *testing.T) {
	path := filepath.Join(socketFolder(t), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Path: path, Backend: newBackend(), Log: slog.New(slog.DiscardHandler)}
	if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "another daemon answers") {
		t.Fatalf("beside a live one: %v", err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if i, err := os.Stat(path); err != nil || i.Mode().Perm() != 0o666 {
		t.Fatalf("%v %v", i.Mode(), err)
	}
	s.Close()
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "something else is there") {
		t.Fatalf("in place of a file: %v", err)
	}
}
